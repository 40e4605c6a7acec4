//go:build linux && !ringfence_portable

package checks

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestClustersInOne: the kubelet and the API server inside of k3s and of MicroK8s are told by arguments of their own, in files.
func TestClustersInOne(t *testing.T) {
	micro := "--kubelet-args-file=/args/kubelet --apiserver-args-file=/args/kube-apiserver"
	for name, c := range map[string]struct {
		exe, line string
		files     map[string]string
		want      string // of the kubelet: anonymous, authorization, readOnlyPort; of the API server: authorization, encryption
	}{
		"MicroK8s": {"/snap/microk8s/8355/kubelite", micro, map[string]string{
			"args/kubelet":        "--kubeconfig=${SNAP_DATA}/credentials/kubelet.config\n--anonymous-auth=false\n# --read-only-port=10255\n--read-only-port=0\n--authorization-mode=Webhook\n",
			"args/kube-apiserver": "--authorization-mode=RBAC,Node\n--service-cluster-ip-range=10.152.183.0/24\n",
		}, "false Webhook 0 | RBAC,Node"},
		"MicroK8s, open": {"/snap/microk8s/8355/kubelite", micro, map[string]string{
			"args/kubelet": "--config=$SNAP_DATA/k.yaml\n", "environ": "SNAP_DATA=/var/snap\x00", "var/snap/k.yaml": "authentication: {anonymous: {enabled: true}}\nauthorization: {mode: AlwaysAllow}\n",
			"args/kube-apiserver": "--authorization-mode=AlwaysAllow\n",
		}, "true AlwaysAllow 0 | AlwaysAllow"},
		"MicroK8s, a worker": {"/snap/microk8s/8355/kubelite", micro + " --start-control-plane=false", map[string]string{"args/kubelet": "--anonymous-auth\n"}, "true AlwaysAllow 10255"},
		"MicroK8s, unread":   {"/snap/microk8s/8355/kubelite", micro, map[string]string{"args/kubelet": "--anonymous-auth=false\n"}, "? ? ? | ?"},
		"k3s":                {"/usr/local/bin/k3s", "server", nil, "false Webhook 0 | Node,RBAC"},
		"k3s, an agent":      {"/usr/local/bin/k3s", "agent --kubelet-arg=read-only-port=10255", nil, "false Webhook 10255"},
		"k3s, by its file": {"/usr/local/bin/k3s", "server", map[string]string{
			"etc/rancher/k3s/config.yaml": "kube-apiserver-arg: [authorization-mode=AlwaysAllow]\nsecrets-encryption: true\nkubelet-arg: anonymous-auth=true\n",
		}, "true Webhook 0 | AlwaysAllow /var/lib/rancher/k3s/server/cred/encryption-config.json"},
		"k3s, malformed":    {"/usr/local/bin/k3s", "server", map[string]string{"etc/rancher/k3s/config.yaml": "{"}, "? ? ? | ?"},
		"a command of k3s":  {"/usr/local/bin/k3s", "kubectl get pods", nil, ""},
		"without a kubelet": {"/usr/local/bin/k3s", "server --disable-agent", nil, "Node,RBAC"},
	} {
		s := scanWithProcess(t, c.files)
		p := &process{argv: append([]string{c.exe}, strings.Fields(c.line)...)}
		p.PID, p.Exe = 77, c.exe
		var got []string
		for _, v := range s.inOne(p) {
			names := []string{"anonymous", "authorization", "readOnlyPort"}
			if v.Name == "kube-apiserver" {
				names = []string{"authorization", "encryption"}
			}
			var values []string
			for _, n := range names {
				if f := v.Settings[n]; f.State == snapshot.Present {
					values = append(values, f.Value)
				} else if n != "encryption" {
					values = append(values, "?")
				}
			}
			got = append(got, strings.TrimSpace(strings.Join(values, " ")))
		}
		if line := strings.Join(got, " | "); line != c.want {
			t.Errorf("%s: %q, want %q", name, line, c.want)
		}
	}
}
