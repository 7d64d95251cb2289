// Command controlplane is every Kubernetes program that a test bed runs, in one
// binary: etcd, the API server, the controller manager, the scheduler, the
// kubelet, kube-proxy and kubectl. The program is chosen by the name it is
// called with (a symbolic link), or by its first argument.
//
// One binary instead of seven, because they share nearly all of their code: it
// builds and loads several times faster, and takes a fifth of the space.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// programs maps the name of a program to its main function. Each is called
// with os.Args as that program expects it and returns the exit status.
var programs = map[string]func() int{
	"etcd":                     func() int { etcdmain.Main(os.Args); return 0 },
	"kube-apiserver":           func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager":  func() int { return cli.Run(controllers.NewControllerManagerCommand()) },
	"kube-scheduler":           func() int { return cli.Run(scheduler.NewSchedulerCommand()) },
	"kube-proxy":               func() int { return cli.Run(proxy.NewProxyCommand()) },
	"kubelet":                  func() int { return cli.Run(kubelet.NewKubeletCommand(context.Background())) },
	"kube-proxy-config-oracle": runProxyConfigOracle,
	"kubectl":                  func() int { return runKubectl(kubectl.NewDefaultKubectlCommand()) },
}

// runKubectl reports errors in kubectl's own way (no usage text, exit 1).
func runKubectl(cmd *cobra.Command) int {
	if err := cli.RunNoErrOutput(cmd); err != nil {
		cmdutil.CheckErr(err) // prints the error and exits with its status
	}
	return 0
}

func main() {
	name := filepath.Base(os.Args[0])
	if _, known := programs[name]; !known {
		if len(os.Args) < 2 || programs[os.Args[1]] == nil {
			fmt.Fprintf(os.Stderr, "usage: controlplane PROGRAM [ARGUMENTS], with PROGRAM one of: %s\n", strings.Join(names(), ", "))
			os.Exit(2)
		}
		name, os.Args = os.Args[1], os.Args[1:]
	}
	os.Exit(programs[name]())
}

func names() []string {
	var all []string
	for name := range programs {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
