//go:build linux

package hostile

import (
	"strconv"
	"strings"
	"testing"
)

// TestModelInContainer: what the exposures of a report say is reached from outside is a finding of the same report.
func TestModelInContainer(t *testing.T) {
	b := New(t)
	b.run(root, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward") // the kernel asks whose process writes, not by which path
	p := b.container(Container{ID: id("0"), Program: "/bin/ollama", Role: "pause"})
	b.run(root, "sh", "-ec", `
		ip link add vct type veth peer name vpeer; ip link set vct master docker0 up; ip link set vpeer netns "$1" name eth0
		nsenter --net="/proc/$1/ns/net" ip link set lo up; nsenter --net="/proc/$1/ns/net" ip addr add 172.17.0.2/16 dev eth0
		nsenter --net="/proc/$1/ns/net" ip link set eth0 up; nsenter --net="/proc/$1/ns/net" ip route add default via 172.17.0.1`, "sh", strconv.Itoa(p.PID))
	b.program(root, "/run/inside/ollama")
	cmd := b.command(root, "nsenter", "--net=/proc/"+strconv.Itoa(p.PID)+"/ns/net", "/run/inside/ollama")
	cmd.Env = append(cmd.Env, roleVar+"=listen", "HOSTILE_LISTEN=tcp4 0.0.0.0:11434")
	b.launch(cmd).ready(t)
	b.until("docker0 is up", func() bool { return strings.Contains(b.run(root, "ip", "-o", "link", "show", "docker0"), " state UP ") })
	r := b.audit()
	reached := false
	for _, e := range r.Exposures {
		reached = reached || e.Service.Port == 11434 && e.Zone == "external" && e.Verdict == "reachable"
	}
	if !reached {
		t.Fatalf("the port is not reachable by the exposures: %+v", r.Exposures)
	}
	if f := r.finds(openRuntime, "11434"); f == nil || f.Severity != "critical" {
		t.Errorf("%+v", r.result(openRuntime))
	}
}
