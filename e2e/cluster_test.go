//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
)

// node is a cluster of one node in a bed: an API server with what it needs, and a kubelet with containerd.
type node struct {
	t    *testing.T
	dir  string // of its programs
	logs string
	// cgroup is the control group that the kubelet has.
	cgroup string
}

// nodeFiles are what the programs are told. The kubelet lets everybody in, and etcd asks nobody: the audit has to see it.
var nodeFiles = map[string]string{
	"/etc/kubernetes/tokens.csv": `bedtoken,admin,1,"system:masters"` + "\n",
	"/etc/kubernetes/kubeconfig": "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:6443', insecure-skip-tls-verify: true}}]\n" +
		"contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {token: bedtoken}}]\ncurrent-context: c\n",
	"/etc/kubernetes/containerd.toml": "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\n  sandbox_image = \"localhost/ringfence:pause\"\n  restrict_oom_score_adj = true\n" +
		"  [plugins.\"io.containerd.grpc.v1.cri\".cni]\n    bin_dir = \"/opt/cni/bin\"\n    conf_dir = \"/etc/cni/net.d\"\n",
	"/var/lib/kubelet/config.yaml": "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nauthentication: {anonymous: {enabled: true}, webhook: {enabled: false}}\n" +
		"authorization: {mode: AlwaysAllow}\ncgroupDriver: cgroupfs\ncgroupRoot: /CGROUP\nfailCgroupV1: false\nfailSwapOn: false\n" +
		"containerRuntimeEndpoint: unix:///run/containerd/containerd.sock\n",
}

// nodeSettings are those of the kernel that a kubelet sets for the whole machine: here it finds them set, in files of the bed's.
var nodeSettings = map[string]string{
	"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// newNode starts the cluster and returns once the API server is ready and the node is registered.
func newNode(t *testing.T) *node {
	dir := os.Getenv("RINGFENCE_CLUSTER")
	if dir == "" {
		t.Skip("the machine lacks: the cluster that make test-kube builds")
	}
	n := &node{t, dir, t.TempDir(), "ringfence-" + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil { // with the bed's own mounts alone
		t.Fatal(err)
	}
	for _, at := range []string{"/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd", "/etc/kubernetes", "/etc/cni", "/opt", "/var/log/pods", "/var/log/containers"} {
		bed.Shell(t, "mkdir -p %[1]s && mount -t tmpfs tmpfs %[1]s", at)
	}
	for name, text := range nodeFiles {
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(text, "CGROUP", n.cgroup)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range nodeSettings {
		file := filepath.Join(n.logs, filepath.Base(name))
		if err := os.WriteFile(file, []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(file, "/proc/sys/"+name, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
	}
	bed.Shell(t, `
openssl genrsa -out /etc/kubernetes/sa.key 2048 2>/dev/null
ip link add eth0 type veth peer name outside
ip link set outside up
ip addr add 10.0.0.5/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.0.1
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then mkdir /sys/fs/cgroup/%[1]s
else for d in /sys/fs/cgroup/*/; do [ ! -e $d/cgroup.procs ] || mkdir $d/%[1]s; done; fi`, n.cgroup)
	t.Cleanup(n.end)
	n.start("etcd", "--data-dir", "/var/lib/etcd/d", "--listen-client-urls", "http://127.0.0.1:2379", "--advertise-client-urls", "http://127.0.0.1:2379")
	n.start("kube-apiserver", "--etcd-servers", "http://127.0.0.1:2379", "--service-account-issuer", "https://kubernetes.default.svc",
		"--service-account-key-file", "/etc/kubernetes/sa.key", "--service-account-signing-key-file", "/etc/kubernetes/sa.key",
		"--token-auth-file", "/etc/kubernetes/tokens.csv", "--authorization-mode", "RBAC", "--cert-dir", "/etc/kubernetes/pki",
		"--advertise-address", "10.0.0.5", "--service-cluster-ip-range", "10.96.0.0/16", "--kubelet-preferred-address-types", "InternalIP")
	n.start("containerd", "-c", "/etc/kubernetes/containerd.toml")
	n.until("the API server to be ready", func() bool { return string(n.try("get", "--raw", "/readyz")) == "ok" })
	n.start("kube-controller-manager", "--kubeconfig", "/etc/kubernetes/kubeconfig", "--service-account-private-key-file", "/etc/kubernetes/sa.key")
	n.start("kube-scheduler", "--kubeconfig", "/etc/kubernetes/kubeconfig")
	n.start("kubelet", "--config", "/var/lib/kubelet/config.yaml", "--kubeconfig", "/etc/kubernetes/kubeconfig", "--hostname-override", "node1", "--node-ip", "10.0.0.5")
	for _, image := range []string{"image.tar", "pause.tar"} {
		bed.Shell(t, "ctr -n k8s.io images import %s", filepath.Join(dir, image))
	}
	n.until("the node to be registered", func() bool { return strings.Contains(string(n.try("get", "nodes", "-o", "name")), "node/node1") })
	return n
}

// start starts a program of the cluster, with its output in a file.
func (n *node) start(program string, args ...string) {
	n.t.Helper()
	path := filepath.Join(n.dir, program)
	if _, err := os.Stat(path); err != nil {
		path = program
	}
	log, err := os.Create(filepath.Join(n.logs, program))
	if err != nil {
		n.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
}

// end kills what is in the bed, so that nothing is left in the control groups, and removes those.
func (n *node) end() {
	for range 50 {
		others := 0
		list, _ := filepath.Glob("/proc/[0-9]*")
		for _, p := range list {
			if pid, err := strconv.Atoi(filepath.Base(p)); err == nil && pid > 1 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
				others++
			}
		}
		for { // this is the first process of the bed
			if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
		if others == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	var groups []string
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() && strings.Contains(path, n.cgroup) {
			groups = append(groups, path)
		}
		return nil
	})
	slices.Reverse(groups)
	for _, g := range groups {
		if err := os.Remove(g); err != nil {
			n.t.Error(err)
		}
	}
}

func (n *node) command(args ...string) *exec.Cmd {
	return exec.Command(filepath.Join(n.dir, "kubectl"), append([]string{"--kubeconfig", "/etc/kubernetes/kubeconfig"}, args...)...)
}

// try is what kubectl answers, nothing if it fails.
func (n *node) try(args ...string) []byte {
	out, err := n.command(args...).Output()
	if err != nil {
		return nil
	}
	return out
}

func (n *node) kubectl(stdin []byte, args ...string) string {
	n.t.Helper()
	cmd := n.command(args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		n.t.Fatalf("kubectl %q: %v: %s", args, err, out)
	}
	return string(out)
}

// until waits three times as long as other tests: much is started here.
func (n *node) until(what string, is func() bool) {
	n.t.Helper()
	for range 3 {
		if bed.Until(is) {
			return
		}
	}
	n.t.Log(string(n.try("get", "pods,events", "-A")))
	for _, program := range []string{"kube-apiserver", "kubelet", "containerd"} {
		text, _ := os.ReadFile(filepath.Join(n.logs, program))
		n.t.Logf("%s:\n%s", program, lastLines(string(text), 20))
	}
	n.t.Fatalf("waited for %s", what)
}

// TestCluster has the manifests audit a node of a real cluster: API server and kubelet take them, the pods see the node as an audit on the node
// itself does, and the API server takes the report as a resource of OpenReports.
func TestCluster(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	n := newNode(t)
	n.manifests()
	n.kubectl(nil, "apply", "--validate=strict", "-f", "../deploy/kubernetes/daemonset.yaml")
	logs := func(container string) []byte {
		return n.try("-n", "ringfence", "logs", "-l", "app.kubernetes.io/name=ringfence,app.kubernetes.io/component!=audit", "-c", container, "--tail=-1")
	}
	n.until("the pod to watch", func() bool { return bytes.Contains(logs("watch"), []byte(`"row":"begin"`)) })
	rows := logs("audit")
	n.sees(rows)
	n.asOnTheNode(rows)

	n.kubectl(nil, "apply", "--validate=strict", "-f", "../deploy/kubernetes/cronjob.yaml")
	n.kubectl(nil, "-n", "ringfence", "create", "job", "now", "--from=cronjob/ringfence")
	n.until("a pod of the job to end", func() bool {
		return strings.Contains(string(n.try("-n", "ringfence", "get", "pods", "-l", "job-name=now", "-o", "jsonpath={.items[*].status.phase}")), "Succeeded")
	})
	if out := n.try("-n", "ringfence", "logs", "job/now", "--tail=-1"); bytes.Count(out, []byte(`"row":"result"`)) < 100 {
		t.Errorf("rows of the job: %.300s", out)
	}
	n.openReports()
}

// manifests has the API server look at every manifest, and at the chart if helm is there.
func (n *node) manifests() {
	n.kubectl(nil, "create", "namespace", "ringfence")
	for _, name := range []string{"daemonset.yaml", "cronjob.yaml"} {
		if out := n.kubectl(nil, "apply", "--dry-run=server", "--validate=strict", "-f", "../deploy/kubernetes/"+name); strings.Contains(out, "Warning") && !strings.Contains(out, "last-applied") {
			n.t.Errorf("%s: %s", name, out)
		}
	}
	helm, err := exec.LookPath("helm")
	if err != nil {
		n.t.Log("helm is not there: the chart is not tried")
		return
	}
	for _, mode := range []string{"daemonset", "cronjob"} {
		text, err := exec.Command(helm, "template", "rf", "../deploy/helm/ringfence", "--namespace", "ringfence", "--set", "mode="+mode).Output()
		if err != nil {
			n.t.Fatal(err)
		}
		n.kubectl(text, "apply", "--dry-run=server", "--validate=strict", "-n", "ringfence", "-f", "-")
	}
}

// sees wants the rows of a pod to have what only the host tells: the files of its daemons, its processes and its filter.
func (n *node) sees(rows []byte) {
	found, names := map[string]bool{}, map[string]bool{}
	for line := range bytes.Lines(rows) {
		var row struct {
			Row, Check string
			Finding    struct{ Resource finding.Resource }
			Coverage   struct{ Collector, Status string }
		}
		if err := json.Unmarshal(line, &row); err != nil {
			n.t.Fatalf("%v: %.200s", err, line)
		}
		switch row.Row {
		case "finding":
			found[row.Check] = true
			names[row.Finding.Resource.Key] = true
			if strings.Contains(row.Finding.Resource.Key, "pod-resources") || strings.Contains(row.Finding.Resource.Key, "device-plugins") {
				n.t.Errorf("%s of %s", row.Check, row.Finding.Resource.Key)
			}
		case "coverage":
			if slices.Contains([]string{"processes", "nftables", "runtimes", "namespaces", "network"}, row.Coverage.Collector) && row.Coverage.Status != "ok" {
				n.t.Errorf("%s: %s", row.Coverage.Collector, row.Coverage.Status)
			}
		}
	}
	for _, check := range []string{"runtime/kubelet-lets-anybody-in", "runtime/etcd-without-client-certificates", "runtime/api-server-defences-off"} {
		if !found[check] {
			n.t.Errorf("%s is not found: %d rows", check, bytes.Count(rows, []byte("\n")))
		}
	}
	for _, name := range []string{"container ringfence/ringfence/audit", "container ringfence/ringfence/sandbox"} {
		if !names[name] {
			n.t.Errorf("no finding about %s: %v", name, names)
		}
	}
}

// asOnTheNode wants nothing to pass in a pod that fails on the node itself.
func (n *node) asOnTheNode(rows []byte) {
	cmd := exec.Command(bed.Program(n.t), "audit", "-q", "--fail-on", "none", "-f", "json")
	out, err := cmd.Output()
	if err != nil {
		n.t.Fatal(err)
	}
	var r finding.Report
	if err := json.Unmarshal(out, &r); err != nil {
		n.t.Fatal(err)
	}
	inPod := map[string]string{}
	for line := range bytes.Lines(rows) {
		var row struct {
			Row, Check string
			Result     struct{ Status string }
		}
		if json.Unmarshal(line, &row) == nil && row.Row == "result" {
			inPod[row.Check] = row.Result.Status
		}
	}
	for _, res := range r.Results {
		if pod := inPod[res.ID]; res.Status == finding.Fail && pod != "fail" && pod != "unknown" {
			n.t.Errorf("%s fails on the node, and in the pod it is %q", res.ID, pod)
		}
	}
	if err := os.WriteFile(filepath.Join(n.logs, "report.json"), out, 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// openReports gives the API server the node's report.
func (n *node) openReports() {
	n.kubectl(nil, "apply", "-f", filepath.Join(n.dir, "reports.yaml"))
	n.kubectl(nil, "wait", "--for=condition=Established", "--timeout=60s", "crd/clusterreports.openreports.io")
	text, err := exec.Command(bed.Program(n.t), "report", "convert", filepath.Join(n.logs, "report.json"), "-f", "openreports").Output()
	if err != nil {
		n.t.Fatal(err)
	}
	n.until("the resource to be served", func() bool { return n.try("get", "clusterreports.openreports.io") != nil })
	n.kubectl(text, "apply", "--validate=strict", "--server-side", "-f", "-")
	var got struct {
		Items []struct {
			Results []json.RawMessage
			Summary map[string]int
		}
	}
	if err := json.Unmarshal(n.try("get", "clusterreports.openreports.io", "-o", "json"), &got); err != nil || len(got.Items) != 1 || len(got.Items[0].Results) == 0 {
		n.t.Fatalf("%v: %s", err, fmt.Sprintf("%.300v", got))
	}
	if s := got.Items[0].Summary; s["fail"] == 0 {
		n.t.Errorf("summary: %v", s)
	}
}
