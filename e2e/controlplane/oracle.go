package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"

	utilfeature "k8s.io/apiserver/pkg/util/feature"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	"k8s.io/kubernetes/pkg/proxy/apis/config"
	"k8s.io/kubernetes/pkg/proxy/apis/config/validation"

	_ "unsafe" // for go:linkname
)

// The two steps of kube-proxy's start that read a configuration. They are
// called directly, as the exported way to them also watches a file, for ever.

//go:linkname loadConfig k8s.io/kubernetes/cmd/kube-proxy/app.(*Options).loadConfig
func loadConfig(*proxy.Options, []byte) (*config.KubeProxyConfiguration, error)

//go:linkname platformApplyDefaults k8s.io/kubernetes/cmd/kube-proxy/app.(*Options).platformApplyDefaults
func platformApplyDefaults(*proxy.Options, *config.KubeProxyConfiguration)

// reading is what kube-proxy makes of a configuration.
type reading struct {
	// Error says why kube-proxy does not start with it; empty if it does.
	Error string `json:"error,omitempty"`
	// Config is the whole internal configuration, defaults applied.
	Config *config.KubeProxyConfiguration `json:"config,omitempty"`
	// Mode and StrictARP are the two that matter most.
	Mode      string `json:"mode,omitempty"`
	StrictARP bool   `json:"strictARP,omitempty"`
}

// runProxyConfigOracle reads configuration texts, one a line in base64, and
// prints for each what kube-proxy's own loader and validation make of it, one
// JSON object a line. Tests hold Mooring's reader to it: it is kube-proxy's
// code, without the second that a process start costs.
func runProxyConfigOracle() int {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	encoder := json.NewEncoder(os.Stdout)
	for in.Scan() {
		text, err := base64.StdEncoding.DecodeString(in.Text())
		if err != nil {
			fmt.Fprintln(os.Stderr, "not base64:", err)
			return 2
		}
		if err := encoder.Encode(read(text)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return 0
}

// read does what kube-proxy does up to the point where it would start.
func read(text []byte) (result reading) {
	// A panic of the loader would end kube-proxy, too.
	defer func() {
		if problem := recover(); problem != nil {
			result = reading{Error: fmt.Sprint("panic: ", problem)}
		}
	}()
	options := proxy.NewOptions()
	loaded, err := loadConfig(options, text)
	if err != nil {
		return reading{Error: err.Error()}
	}
	asWritten := loaded.Mode
	platformApplyDefaults(options, loaded)
	if err := utilfeature.DefaultMutableFeatureGate.DeepCopy().SetFromMap(loaded.FeatureGates); err != nil {
		return reading{Error: err.Error()}
	}
	if problems := validation.Validate(loaded); len(problems) > 0 {
		return reading{Error: problems.ToAggregate().Error()}
	}
	return reading{Config: loaded, Mode: string(asWritten), StrictARP: loaded.IPVS.StrictARP}
}
