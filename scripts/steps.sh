# shellcheck shell=bash
# Sourced by the other scripts: numbered steps with the time that each took.

step_names=()
step_seconds=()

# step TITLE COMMAND...: runs the command or function, and remembers its time. Ends the script if any part of it fails.
step() {
  local title=$1 begin=$SECONDS status
  shift
  printf '\n=== %s\n' "$title"
  # Not `"$@" || status=$?`: in a function called so, set -e has no effect.
  set +e
  (set -e; "$@")
  status=$?
  set -e
  step_names+=("$title")
  step_seconds+=($((SECONDS - begin)))
  if [ "$status" -ne 0 ]; then
    printf '\n=== %s: FAILED (status %s) after %s s\n' "$title" "$status" $((SECONDS - begin)) >&2
    exit "$status"
  fi
}

# summary: all steps, the slowest first.
summary() {
  local i
  printf '\n=== times, the slowest first\n'
  for i in "${!step_names[@]}"; do
    printf '%6d s  %s\n' "${step_seconds[$i]}" "${step_names[$i]}"
  done | sort -rn
  printf '%6d s  in all\n' "$SECONDS"
}

# need PROGRAM HINT: fails with the hint if the program is missing.
need() {
  command -v "$1" >/dev/null || { echo "$1 is missing: $2" >&2; exit 1; }
}

# need_machine: what the README asks for, and the one package that Rust itself needs and may lack.
need_machine() {
  [ "$(id -u)" = 0 ] || { echo "run this as root: the test bed makes network namespaces, mounts and tap devices" >&2; exit 1; }
  need cargo "install Rust 1.95 or newer (https://rustup.rs)"
  need go "install Go 1.25 or newer (https://go.dev/dl)"
  if ! command -v cc >/dev/null; then
    DEBIAN_FRONTEND=noninteractive sh -ec 'apt-get update; apt-get install -y --no-install-recommends gcc libc6-dev'
  fi
}
