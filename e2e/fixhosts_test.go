//go:build linux

package e2e

import (
	"fmt"
	"os/exec"
	"strings"

	"github.com/ringfence/ringfence/e2e/bed"
)

// services are rules as kube-proxy makes them for services of two endpoints each, some with a port of the node: as text for nft, or for
// iptables-restore.
type services struct {
	n    int
	text strings.Builder
	tail strings.Builder
}

// nodePorts is how many of the services have a port of the node.
const nodePorts = 20

// address is the one of a service in the cluster.
func (s *services) address(i int) string { return fmt.Sprintf("10.96.%d.%d", i/250, 1+i%250) }

func (s *services) add(format string, args ...any)  { fmt.Fprintf(&s.text, format+"\n", args...) }
func (s *services) last(format string, args ...any) { fmt.Fprintf(&s.tail, format+"\n", args...) }

// iptables are the rules for iptables-restore.
func (s *services) iptables() string {
	s.add("*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-NODEPORTS - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-POSTROUTING - [0:0]")
	s.last("-A PREROUTING -j KUBE-SERVICES\n-A OUTPUT -j KUBE-SERVICES\n-A POSTROUTING -j KUBE-POSTROUTING\n" +
		"-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0\n" +
		"-A KUBE-POSTROUTING -j MASQUERADE --random-fully\n-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000")
	for i := range s.n {
		at := s.address(i)
		s.add(":KUBE-SVC-%d - [0:0]", i)
		s.last(`-A KUBE-SERVICES -d %s/32 -p tcp -m comment --comment "default/s%d:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-%d`, at, i, i)
		s.last("-A KUBE-SVC-%d ! -s 172.17.0.0/16 -d %s/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ", i, at)
		s.last("-A KUBE-SVC-%d -m statistic --mode random --probability 0.5 -j KUBE-SEP-%d-2\n-A KUBE-SVC-%d -j KUBE-SEP-%d-3", i, i, i, i)
		for _, e := range []int{2, 3} {
			s.add(":KUBE-SEP-%d-%d - [0:0]", i, e)
			s.last("-A KUBE-SEP-%d-%d -s 172.17.0.%d/32 -j KUBE-MARK-MASQ\n-A KUBE-SEP-%d-%d -p tcp -m tcp -j DNAT --to-destination 172.17.0.%d:%d", i, e, e, i, e, e, 8000+i)
		}
		if i < nodePorts {
			s.add(":KUBE-EXT-%d - [0:0]", i)
			s.last("-A KUBE-EXT-%d -j KUBE-MARK-MASQ\n-A KUBE-EXT-%d -j KUBE-SVC-%d", i, i, i)
			s.last("-A KUBE-NODEPORTS -p tcp -m tcp --dport %d -j KUBE-EXT-%d", 30000+i, i)
		}
	}
	s.last("-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\nCOMMIT")
	return s.text.String() + s.tail.String()
}

// nft are the rules for nft.
func (s *services) nft() string {
	var ips, ports, addrs []string
	s.add("table ip kube-proxy {\nchain mark-for-masquerade {\nmeta mark set meta mark | 0x00004000\n}")
	for i := range s.n {
		at := s.address(i)
		addrs = append(addrs, at)
		ips = append(ips, fmt.Sprintf("%s . tcp . 80 : goto service-%d", at, i))
		for _, e := range []int{2, 3} {
			s.add("chain endpoint-%d-%d {\nip saddr 172.17.0.%d jump mark-for-masquerade\nmeta l4proto tcp dnat to 172.17.0.%d:%d\n}", i, e, e, e, 8000+i)
		}
		s.add("chain service-%d {\nip daddr %s ip saddr != 172.17.0.0/16 jump mark-for-masquerade\n"+
			"numgen random mod 2 vmap { 0 : goto endpoint-%d-2, 1 : goto endpoint-%d-3 }\n}", i, at, i, i)
		if i < nodePorts {
			s.add("chain external-%d {\njump mark-for-masquerade\ngoto service-%d\n}", i, i)
			ports = append(ports, fmt.Sprintf("tcp . %d : goto external-%d", 30000+i, i))
		}
	}
	s.add("set cluster-ips { type ipv4_addr; elements = { %s }\n}", strings.Join(addrs, ", "))
	s.add("set nodeport-ips { type ipv4_addr; elements = { 203.0.113.1 }\n}")
	s.add("map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; elements = { %s }\n}", strings.Join(ips, ", "))
	s.add("map service-nodeports { type inet_proto . inet_service : verdict; elements = { %s }\n}", strings.Join(ports, ", "))
	s.add("chain services {\nip daddr . meta l4proto . th dport vmap @service-ips\nip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports\n}")
	s.add("chain masquerading {\nmeta mark & 0x00004000 == 0x00000000 return\nmeta mark set meta mark ^ 0x00004000\nmasquerade fully-random\n}")
	s.add("chain cluster-ips-check {\nip daddr @cluster-ips reject\n}")
	for _, c := range []string{
		"filter-forward:filter hook forward priority 0:ct state new jump cluster-ips-check", "filter-output:filter hook output priority 0:ct state new jump cluster-ips-check",
		"nat-prerouting:nat hook prerouting priority -100:jump services", "nat-output:nat hook output priority -100:jump services",
		"nat-postrouting:nat hook postrouting priority 100:jump masquerading",
	} {
		f := strings.Split(c, ":")
		s.add("chain %s {\ntype %s; policy accept;\n%s\n}", f[0], f[1], f[2])
	}
	s.add("}")
	return s.text.String()
}

// fifty gives the host of a bed as many more networks of workloads, each behind an interface of its own.
func (b *testbed) fifty() {
	b.t.Helper()
	var lines []string
	for i := range 50 {
		lines = append(lines, fmt.Sprintf("link add v%[1]d type veth peer name v%[1]d netns %[2]sw1\naddr add 10.0.%[1]d.1/24 dev v%[1]d\nlink set v%[1]d up", i, b.name))
	}
	bed.Shell(b.t, "ip -n %shost -batch - <<B\n%s\nB", b.name, strings.Join(lines, "\n"))
	bed.Shell(b.t, "for i in $(seq 0 49); do ip -n %[1]sw1 link set v$i up; done", b.name)
	b.settle()
}

// restore loads rules by iptables-restore.
func (b *testbed) restore(rules string) {
	b.t.Helper()
	cmd := exec.Command("ip", "netns", "exec", b.name+"host", "iptables-restore", "-w")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("iptables-restore: %v\n%s", err, out)
	}
}
