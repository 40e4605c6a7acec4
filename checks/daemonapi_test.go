//go:build linux && !ringfence_portable

package checks

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// TestWhereDaemonsHaveTheirInterface reads configurations as packages and their manuals have them: where the interface is on TCP, and
// whether it asks who connects. Whatever else a daemon listens on is not in the list.
func TestWhereDaemonsHaveTheirInterface(t *testing.T) {
	for name, c := range map[string]struct {
		line   string
		files  map[string]string
		api    []string
		verify string // "" where it is not known
	}{
		"docker's metrics":          {"dockerd -H fd://", map[string]string{"etc/docker/daemon.json": `{"metrics-addr": "127.0.0.1:9323"}`}, nil, "false"},
		"docker by its options":     {"dockerd -H unix:///x -H tcp://0.0.0.0:2375 --host=tcp://127.0.0.1", nil, []string{":2375", "127.0.0.1:2375"}, "false"},
		"docker with certificates":  {"dockerd --tlsverify -H tcp://", nil, []string{":2376"}, "true"},
		"docker without a scheme":   {"dockerd -H 0.0.0.0:23751 -H :2375 -H unix:///x", map[string]string{"etc/docker/daemon.json": `{"hosts": ["10.0.0.1:4243"]}`}, []string{":23751", ":2375", "10.0.0.1:4243"}, "false"},
		"docker's switched off":     {"dockerd --tlsverify --tlsverify=0 -DH tcp://0.0.0.0:2375", nil, []string{":2375"}, "false"},
		"docker by its file":        {"dockerd", map[string]string{"etc/docker/daemon.json": `{"hosts": ["tcp://10.0.0.1:2375", "unix:///x"], "tlsverify": true}`}, []string{"10.0.0.1:2375"}, "true"},
		"docker with TLS alone":     {"dockerd --tls -H tcp://0.0.0.0", nil, []string{":2376"}, ""},
		"docker with TLS, not them": {"dockerd --tls --tlsverify=false -H tcp://0.0.0.0", nil, []string{":2376"}, "false"},
		"docker's TLS by its file":  {"dockerd -H tcp://0.0.0.0", map[string]string{"etc/docker/daemon.json": `{"tls": true}`}, []string{":2376"}, ""},
		"docker's file, not them":   {"dockerd -H tcp://0.0.0.0", map[string]string{"etc/docker/daemon.json": `{"tlsverify": false}`}, []string{":2376"}, "false"},
		"docker's broken file":      {"dockerd", map[string]string{"etc/docker/daemon.json": `{`}, nil, ""},
		"docker with a secret":      {"dockerd -H tcp://user:word@h:x", nil, nil, "false"},
		"containerd by default":     {"containerd", map[string]string{"etc/containerd/config.toml": "version = 2\n[plugins]\n  [plugins.\"io.containerd.grpc.v1.cri\"]\n    stream_server_port = \"0\"\n[metrics]\n  address = \"127.0.0.1:1338\"\n"}, nil, "false"},
		"containerd on TCP":         {"containerd -c /c.toml", map[string]string{"c.toml": "imports = [\n  \"/d/*.toml\",\n]\n", "d/a.toml": "[grpc]\n  address = \"/run/x\"\n  tcp_address = \"0.0.0.0:7777\" # here\n"}, []string{":7777"}, "false"},
		"containerd in one line":    {"containerd", map[string]string{"etc/containerd/config.toml": "grpc = { address = \"/run/x\", tcp_address = \"0.0.0.0:7777\", uid = 0 }\n"}, []string{":7777"}, "false"},
		"buildkit asks nobody":      {"buildkitd --addr tcp://0.0.0.0:1234", map[string]string{"etc/buildkit/buildkitd.toml": "[grpc]\n  tls = { cert = \"/ca/x.pem\", key = \"/ca/y.pem\" }\n"}, []string{":1234"}, "false"},
		"containerd by a dot":       {"containerd", map[string]string{"etc/containerd/config.toml": "grpc.tcp_address = \"0.0.0.0:7777\"\n"}, []string{":7777"}, "false"},
		"containerd asks":           {"containerd", map[string]string{"etc/containerd/config.toml": "[grpc]\ntcp_address = '127.0.0.1:7777'\ntcp_tls_ca = '/ca.pem'\ntcp_tls_cert = '/c.pem'\ntcp_tls_key = '/k.pem'\n"}, []string{"127.0.0.1:7777"}, "true"},
		"containerd without TLS":    {"containerd", map[string]string{"etc/containerd/config.toml": "[grpc]\ntcp_address = '0.0.0.0:7777'\ntcp_tls_ca = '/ca.pem'\n"}, []string{":7777"}, "false"},
		"containerd, imported CA":   {"containerd", map[string]string{"etc/containerd/config.toml": "imports = ['/d/a.toml']\n[grpc]\ntcp_address = ':7777'\ntcp_tls_cert = '/c.pem'\n", "d/a.toml": "[grpc]\ntcp_tls_ca = '/ca.pem'\n"}, []string{":7777"}, "true"},
		"containerd, an empty CA":   {"containerd", map[string]string{"etc/containerd/config.toml": "[grpc]\ntcp_address = ':7777'\ntcp_tls_cert = '/c.pem'\ntcp_tls_ca = ''\n"}, []string{":7777"}, "false"},
		"buildkit without TLS":      {"buildkitd --addr tcp://0.0.0.0:1234 --tlscacert /ca.pem", nil, []string{":1234"}, "false"},
		"buildkit asks":             {"buildkitd --addr tcp://0.0.0.0:1234 --tlscacert=/ca.pem --tlscert /c.pem --tlskey /k.pem", nil, []string{":1234"}, "true"},
		"buildkit asks by its file": {"buildkitd --addr tcp://0.0.0.0:1234", map[string]string{"etc/buildkit/buildkitd.toml": "[grpc.tls]\n  cert = \"/c.pem\"\n  key = \"/k.pem\"\n  ca = \"/ca.pem\"\n"}, []string{":1234"}, "true"},
		"buildkit":                  {"buildkitd --addr tcp://0.0.0.0:1234", map[string]string{"etc/buildkit/buildkitd.toml": "[grpc]\n  address = [ \"tcp://127.0.0.1:1235\", \"unix:///x\" ]\n"}, []string{":1234", "127.0.0.1:1235"}, "false"},
		"podman, two forms":         {"podman system service tcp:localhost:8102 TCP://0.0.0.0:8104", nil, []string{"127.0.0.1:8102", ":8104"}, "false"},
		"podman":                    {"podman system service -t 0 tcp://127.0.0.1:8888", nil, []string{"127.0.0.1:8888"}, "false"},
		"cri-o":                     {"crio --stream-port 10010", nil, nil, "false"},
		"kubelet by its file":       {"kubelet --config=/k.yaml", map[string]string{"k.yaml": "kind: KubeletConfiguration\nauthentication:\n  webhook:\n    enabled: true\n"}, []string{":10250"}, "true"},
		"kubelet lets everybody in": {"kubelet --config=/k.yaml", map[string]string{"k.yaml": "authentication:\n  anonymous:\n    enabled: true\nauthorization:\n  mode: AlwaysAllow\n"}, []string{":10250"}, "false"},
		"kubelet by flags alone":    {"kubelet", nil, []string{":10250"}, "false"},
		"kubelet with flags":        {"kubelet --anonymous-auth=false", nil, []string{":10250"}, "true"},
		"kubelet without its file":  {"kubelet --config=/none", nil, []string{":10250"}, ""},
		"kubelet without its mode":  {"kubelet --config=/none --anonymous-auth=true", nil, []string{":10250"}, ""},
		"kubelet with more files":   {"kubelet --config=/k.yaml --config-dir=/k.d", map[string]string{"k.yaml": "authentication:\n  anonymous:\n    enabled: false\n", "k.d/10-a.conf": "port: 10260\n", "k.d/README": ":"}, []string{":10260"}, "true"},
		"the last file counts":      {"kubelet --config=/k.yaml --config-dir=/k.d", map[string]string{"k.yaml": "", "k.d/20.conf": "authorization: {mode: AlwaysAllow}\n", "k.d/30.conf": "authentication: {anonymous: {enabled: true}}\n", "k.d/10.conf": "authentication: {anonymous: {enabled: false}}\n"}, []string{":10250"}, "false"},
		"a file that is malformed":  {"kubelet --config-dir=/k.d", map[string]string{"k.d/1.conf": "{"}, []string{":10250"}, ""},
		"k3s as it is":              {"k3s server", nil, []string{":10250"}, "true"},
		"k3s with its own file":     {"k3s agent", map[string]string{"var/lib/rancher/k3s/agent/etc/kubelet.conf.d/00-k3s-defaults.conf": "authentication: {anonymous: {enabled: false}}\nauthorization: {mode: Webhook}\n"}, []string{":10250"}, "true"},
		"k3s lets everybody in":     {"k3s server --kubelet-arg=anonymous-auth=true --kubelet-arg authorization-mode=AlwaysAllow", nil, []string{":10250"}, "false"},
		"k3s by its configuration":  {"k3s server", map[string]string{"etc/rancher/k3s/config.yaml": "kubelet-arg: [anonymous-auth=true, authorization-mode=AlwaysAllow, port=10251]\n"}, []string{":10251"}, "false"},
		"k3s by a file beside it":   {"k3s server -c /k/c.yaml", map[string]string{"k/c.yaml": "token: x\n", "k/c.yaml.d/a.yaml": "kubelet-arg+: anonymous-auth=true\nkubelet-arg: authorization-mode=AlwaysAllow\n"}, []string{":10250"}, "false"},
		"k3s by a file of kubelet":  {"k3s server -d /data", map[string]string{"data/agent/etc/kubelet.conf.d/99.conf": "authentication: {anonymous: {enabled: true}}\nauthorization: {mode: AlwaysAllow}\n"}, []string{":10250"}, "false"},
		"k3s, malformed":            {"k3s server", map[string]string{"etc/rancher/k3s/config.yaml": "{"}, []string{":10250"}, ""},
		"a directory alone":         {"kubelet --config-dir=/k.d", map[string]string{"k.d/1.conf": "port: 10260\n"}, []string{":10260"}, "false"},
		"kubelet asks by its flags": {"kubelet --config=/none --authorization-mode=Webhook", nil, []string{":10250"}, "true"},
		"libvirt by default":        {"libvirtd", nil, []string{":16509"}, "true"},
		"libvirt without login":     {"libvirtd", map[string]string{"etc/libvirt/libvirtd.conf": "#auth_tcp = \"sasl\"\nauth_tcp = \"none\"\n"}, []string{":16509"}, "false"},
	} {
		root := t.TempDir()
		for f, text := range c.files {
			writeFile(t, filepath.Join(root, f), text)
		}
		p := &process{argv: strings.Fields(c.line)}
		p.Exe = "/usr/sbin/" + p.argv[0]
		got := apis[p.argv[0]](newScan(host.At(root)), p)[0].fact(p)
		want := snapshot.Present
		if c.verify == "" {
			want = snapshot.Error
		}
		if !slices.Equal(got.API, c.api) && len(got.API)+len(c.api) > 0 || got.Verify.Value != c.verify || got.Verify.State != want {
			t.Errorf("%s: %q %+v, want %q %s", name, got.API, got.Verify, c.api, c.verify)
		}
	}
}

// TestWhomLibvirtAsks: polkit, unless the file of the daemon says otherwise.
func TestWhomLibvirtAsks(t *testing.T) {
	for name, c := range map[string]struct {
		socket string
		files  map[string]string
		want   string
	}{
		"without a file":    {"libvirt-sock", nil, "polkit"},
		"a comment":         {"libvirt-sock", map[string]string{"etc/libvirt/libvirtd.conf": "#auth_unix_rw = \"none\"\n"}, "polkit"},
		"nobody":            {"libvirt-sock", map[string]string{"etc/libvirt/libvirtd.conf": "auth_unix_rw = \"sasl\"\nauth_unix_rw = \"none\"\n"}, "none"},
		"of another daemon": {"virtqemud-sock", map[string]string{"etc/libvirt/libvirtd.conf": "auth_unix_rw = \"none\"\n"}, "polkit"},
		"of its own":        {"virtqemud-sock", map[string]string{"etc/libvirt/virtqemud.conf": "auth_unix_rw=sasl\n"}, "sasl"},
	} {
		s, _ := hostOf(t, c.files)
		if got := s.libvirtAsks(c.socket); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestK3sWithoutAKubelet has none to ask about: a server without an agent, and commands of its own.
func TestK3sWithoutAKubelet(t *testing.T) {
	for _, line := range []string{"k3s server --disable-agent", "k3s kubectl get pods", "k3s", "k3s etcd-snapshot server"} {
		if got := apis["k3s"](newScan(host.At(t.TempDir())), &process{argv: strings.Fields(line)}); got != nil {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

// TestSocketsBesideTheInterface: dockerd has its containerd serve profiles on a socket too, which takes no orders.
func TestSocketsBesideTheInterface(t *testing.T) {
	for path, want := range map[string]bool{
		"/run/docker/containerd/containerd-debug.sock": true, "/run/docker/containerd/containerd.sock.ttrpc": true, "/run/x/metrics.sock": true,
		"/run/docker/containerd/containerd.sock": false, "/srv/docker-debug.sock": false, "/run/containerd-debug.sock/api.sock": false,
	} {
		if got := besideInterfaces.MatchString(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
