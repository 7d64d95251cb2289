module mooring.dev/e2e/web

go 1.25.0
