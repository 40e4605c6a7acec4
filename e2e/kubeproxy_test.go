//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
)

// object is a resource of Kubernetes as JSON.
type object map[string]any

// cluster answers what kube-proxy asks an API server for: lists, and watches that tell what is added.
type cluster struct {
	mu       sync.Mutex
	version  int
	objects  map[string][]object // by the last part of the path
	watchers map[string][]chan object
}

// kinds are the resources that kube-proxy reads, by the last part of their path.
var kinds = map[string]string{
	"services": "ServiceList", "nodes": "NodeList", "endpointslices": "EndpointSliceList", "servicecidrs": "ServiceCIDRList",
}

func newCluster() *cluster {
	return &cluster{version: 1, objects: map[string][]object{}, watchers: map[string][]chan object{}}
}

// add makes a resource known, also to who watches.
func (c *cluster) add(resource, name string, o object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	meta := object{"name": name, "uid": name, "resourceVersion": fmt.Sprint(c.version)}
	if resource != "nodes" {
		meta["namespace"] = "default"
	}
	if resource == "endpointslices" {
		meta["labels"] = object{"kubernetes.io/service-name": strings.TrimSuffix(strings.TrimSuffix(name, "-4"), "-6")}
	}
	o["metadata"] = meta
	c.objects[resource] = append(c.objects[resource], o)
	for _, w := range c.watchers[resource] {
		w <- object{"type": "ADDED", "object": o}
	}
}

// ServeHTTP answers lists and watches; what else is asked for is not there.
func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resource := filepath.Base(r.URL.Path)
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Get("sendInitialEvents") == "true" { // an older server: list first
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422})
		return
	}
	kind := kinds[resource]
	if kind == "" || r.Method != http.MethodGet {
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404})
		return
	}
	if r.URL.Query().Get("watch") != "" {
		c.watch(w, r, resource)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	version := "v1"
	if _, group, ok := strings.Cut(r.URL.Path, "/apis/"); ok {
		version = strings.TrimSuffix(group, "/"+resource)
	}
	items := append([]object{}, c.objects[resource]...)
	_ = json.NewEncoder(w).Encode(object{
		"kind": kind, "apiVersion": version, "metadata": object{"resourceVersion": fmt.Sprint(c.version)}, "items": items,
	})
}

func (c *cluster) watch(w http.ResponseWriter, r *http.Request, resource string) {
	events := make(chan object, 64)
	c.mu.Lock()
	c.watchers[resource] = append(c.watchers[resource], events)
	c.mu.Unlock()
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	for {
		select {
		case e := <-events:
			_ = json.NewEncoder(w).Encode(e)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// service is a service of both families with a node port that leads to the first workload.
func (c *cluster) service(name, last string, nodePort int) {
	c.add("services", name, object{
		"kind": "Service", "apiVersion": "v1",
		"spec": object{
			"type": "NodePort", "clusterIP": "10.96.0." + last, "clusterIPs": []string{"10.96.0." + last, "fd96::" + last},
			"ipFamilies": []string{"IPv4", "IPv6"}, "ipFamilyPolicy": "RequireDualStack", "sessionAffinity": "None",
			"externalTrafficPolicy": "Cluster", "internalTrafficPolicy": "Cluster",
			"ports": []object{{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 80, "nodePort": nodePort}},
		},
	})
	for family, addr := range map[string]string{"4": "172.17.0.2", "6": "fd17::2"} {
		c.add("endpointslices", name+"-"+family, object{
			"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "addressType": "IPv" + family,
			"endpoints": []object{{"addresses": []string{addr}, "conditions": object{"ready": true, "serving": true, "terminating": false}}},
			"ports":     []object{{"name": "http", "protocol": "TCP", "port": 80}},
		})
	}
}

// kubeProxy starts kube-proxy on the host of the bed, and returns once it has loaded its rules.
func (b *testbed) kubeProxy(program, mode string, c *cluster) {
	b.t.Helper()
	b.inNS("host", func() {
		l, err := net.Listen("tcp", "127.0.0.1:18001")
		if err != nil {
			b.t.Error(err)
			return
		}
		server := &http.Server{Handler: c}
		go server.Serve(l)
		b.t.Cleanup(func() { server.Close() })
	})
	dir := b.t.TempDir()
	for name, text := range map[string]string{
		"kubeconfig": "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:18001'}}]\n" +
			"contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\ncurrent-context: c\n",
		"config": "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: " + mode + "\nhostnameOverride: bed\n" +
			"clusterCIDR: 172.17.0.0/16,fd17::/64\nclientConnection: {kubeconfig: " + dir + "/kubeconfig, contentType: application/json}\n" +
			"conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	cmd := exec.Command("nsenter", "--net=/run/netns/"+b.name+"host", program, "--config", dir+"/config")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		b.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
	})
	for range 100 {
		if rules := b.ruleset(); strings.Contains(rules, "172.17.0.2") && strings.Contains(rules, "fd17::2") {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	text, _ := os.ReadFile(filepath.Join(dir, "log"))
	b.t.Fatalf("kube-proxy loads no rules:\n%s", lastLines(string(text), 30))
}

// others is the ruleset without the tables of the fix, which come last.
func others(ruleset string) string {
	before, _, _ := strings.Cut(ruleset, "table inet ringfence")
	return before
}

// TestFixBesideKubeProxy closes a port beside a kube-proxy at work, in both of its modes: the ports of services go on,
// also of one that comes after the fix, and kube-proxy's own rules are as it made them.
func TestFixBesideKubeProxy(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	program := "../build/kube/kube-proxy"
	if _, err := os.Stat(program); err != nil {
		t.Skip("the machine lacks: kube-proxy, which make test-kube builds")
	}
	program, _ = filepath.Abs(program)
	for _, mode := range []string{"nftables", "iptables"} {
		t.Run(mode, func(t *testing.T) {
			b := newBed(t)
			b.t = t
			b.listenIn("w1", "tcp", "[::]:80", "")
			b.listen("tcp", "[::]:2375", "")
			c := newCluster()
			c.add("nodes", "bed", object{"kind": "Node", "apiVersion": "v1", "status": object{"addresses": []object{
				{"type": "InternalIP", "address": "203.0.113.1"}, {"type": "InternalIP", "address": "fd20::1"},
			}}})
			c.service("web", "10", 30080)
			b.kubeProxy(program, mode, c)
			services := []flow{
				{"ext", "tcp4", "203.0.113.1:30080", true},
				{"ext", "tcp6", "[fd20::1]:30080", true},
				{"w2", "tcp4", "10.96.0.10:80", true},
				{"w2", "tcp6", "[fd96::10]:80", true},
				{"host", "tcp4", "10.96.0.10:80", true},
			}
			b.flows("before", append(services, flow{"ext", "tcp4", "203.0.113.1:2375", true}))
			before := b.ruleset()
			if dump := os.Getenv("RINGFENCE_DUMP"); dump != "" {
				_ = os.WriteFile(dump+"-"+mode, []byte(before), 0o600)
			}
			config := b.config("zones: {management: {interfaces: [mgmt0]}}\nchecks: {skip: [firewall/published-port-bypasses-input]}\n")
			out, code := b.verb("apply", "--config", config, "--confirm", "auto")
			if code != 0 {
				t.Fatalf("code %d: %s", code, lastLines(out, 12))
			}
			closed := []flow{
				{"ext", "tcp4", "203.0.113.1:2375", false},
				{"ext", "tcp6", "[fd20::1]:2375", false},
				{"w1", "tcp4", "172.17.0.1:2375", false},
				{"w2", "tcp6", "[fd17::1]:2375", false},
			}
			b.flows("after the fix", append(closed, services...))
			if got := others(b.ruleset()); got != others(before) {
				t.Errorf("kube-proxy's rules changed:\n%s\nbefore\n%s", got, before)
			}
			c.service("more", "11", 30081)
			b.flows("after one more service", append(closed, append(services,
				flow{"ext", "tcp4", "203.0.113.1:30081", true}, flow{"ext", "tcp6", "[fd20::1]:30081", true}, flow{"w2", "tcp4", "10.96.0.11:80", true})...))
			if out, code := b.verb("verify"); code != 0 {
				t.Errorf("verify: code %d: %s", code, out)
			}
			with := others(b.ruleset())
			if _, code := b.verb("uninstall"); code != 0 {
				t.Error("uninstall")
			}
			if got := b.ruleset(); got != with {
				t.Errorf("uninstalled, but kube-proxy's rules are\n%s\nbefore\n%s", got, with)
			}
		})
	}
}
