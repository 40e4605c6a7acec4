//go:build linux

package model

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// trap is a ruleset that some analyser got wrong, or that this one could (netfilter semantics).
type trap struct{ name, rules string }

var traps = []trap{
	{"no rules", ""},
	{"accept is not final", `table inet a { chain i { type filter hook input priority -10; policy drop; accept
	} }
	table inet b { chain i { type filter hook input priority 10; policy accept; tcp dport 22 drop
	} }`},
	{"return in a base chain is the policy", `table inet a { chain i { type filter hook input priority 0; policy drop; tcp dport 22 return; accept
	} }`},
	{"fragments without conntrack", `table inet f { chain f { type filter hook forward priority 0; policy accept; udp dport 53 drop
	tcp dport 443 reject with tcp reset; icmp type echo-request drop; exthdr frag exists meta l4proto icmpv6 drop
	} chain i { type filter hook input priority 0; policy accept; udp dport 53 drop; tcp dport 22 drop
	} chain po { type filter hook postrouting priority 0; ip frag-off & 0x1fff != 0 ip daddr 192.168.0.0/16 drop
	} }`},
	{"what is looked for in later fragments", `table inet f { map m { type inet_service : verdict; elements = { 53 : accept, 443 : accept, * : drop } }
	chain f { type filter hook forward priority 0; policy accept; udp dport != 53 drop
	tcp dport vmap @m
	} chain i { type filter hook input priority 0; policy accept; meta l4proto udp udp sport != 443 drop
	tcp dport != { 22, 80 } drop
	} }`},
	{"a translation of IPv4 tracks no IPv6", `table inet f { chain p { type nat hook prerouting priority -100; udp dport 8000 dnat ip to 10.10.0.9
	} chain f { type filter hook forward priority 0; policy accept; udp dport 53 drop; tcp dport { 443, 8443 } drop
	} chain i { type filter hook input priority 0; policy accept; udp dport 53 drop; tcp dport 22 drop; exthdr frag exists drop
	} }`},
	{"fragments with conntrack of another table", `table inet f { chain f { type filter hook forward priority 0; policy accept; udp dport 53 drop
	exthdr frag exists drop
	} chain i { type filter hook input priority 0; policy accept; udp dport 53 drop; tcp dport 22 drop
	} chain p { type filter hook prerouting priority -300; ip frag-off & 0x3fff != 0 drop; frag more-fragments 1 drop
	} }
	table inet other { chain unused { ct state new
	} }`},
	{"nat chains where nothing tracks connections", `table ip n { chain d { type nat hook prerouting priority -100; policy accept; udp dport 53 drop
	} chain i { type nat hook input priority 100; policy drop;
	} chain p { type nat hook postrouting priority 100; policy accept; tcp dport 443 drop
	} }
	table inet f { chain p { type filter hook prerouting priority 1; policy accept; ip frag-off & 0x1fff != 0 drop; tcp dport 80 drop
	} }`},
	{"nat chains where only the other family tracks connections", `table inet n { chain d { type nat hook prerouting priority -100; policy accept; udp dport 53 drop
	} chain p { type nat hook postrouting priority 100; policy drop;
	} }
	table ip6 f { chain i { type filter hook input priority 0; policy accept; ct state new tcp dport 22 drop
	} }`},
	{"fragments before they are put together", `table inet f { chain p { type filter hook prerouting priority -450; udp dport 53 notrack; tcp dport 22 drop
	ip frag-off & 0x1fff != 0 ip saddr 203.0.113.0/24 drop
	ip frag-off & 0x2000 != 0 ip saddr 10.10.0.0/24 drop; frag frag-off != 0 ip6 saddr fd10::/64 drop
	} chain i { type filter hook input priority 0; policy accept; ct state untracked udp dport 53 drop
	} }`},
	{"tproxy hands packets to transparent sockets", `table inet t { chain p { type filter hook prerouting priority mangle; policy accept
	meta nfproto ipv4 tcp dport 80 tproxy ip to 127.0.0.1:9000 meta mark set 0x55 accept
	meta nfproto ipv4 udp dport 53 tproxy ip to :9000 meta mark set 0x55 accept
	meta nfproto ipv6 tcp dport { 80, 443 } tproxy ip6 to [::1]:9001 meta mark set 0x55 accept
	tcp dport 8443 tproxy to :9000 meta mark set 0x55 drop
	udp dport 161 tproxy to :22 drop
	tcp dport 443 tproxy to :9000 drop
	} chain i { type filter hook input priority 0; socket transparent 1 tcp dport 80 meta mark 0x55 ip saddr 203.0.113.9 drop
	} }`},
	{"sockets that take packets", `table inet t { chain p { type filter hook prerouting priority mangle; policy accept
	tcp dport 22 socket wildcard 1 drop; tcp dport 9000 socket transparent 1 meta mark set 0x77; tcp dport 9000 socket transparent 0 drop
	tcp dport 80 socket transparent 1 drop; tcp dport 8443 socket wildcard 0 drop; tcp dport 9001 socket mark 0x33 drop
	udp dport { 53, 623 } socket wildcard 0 drop; icmp type echo-request socket transparent 0 drop
	} chain i { type filter hook input priority 0; policy drop; socket transparent 0 accept; udp dport 9000 socket mark 0x33 accept
	} }`},
	{"addresses of a connection are of its family", `table inet z { chain f { type filter hook forward priority 0; policy drop
	ct original ip daddr 203.0.113.0/24 accept; ct original ip saddr 203.0.113.9 accept; ct original ip6 saddr fd20::/16 accept; ct reply ip saddr 192.168.7.7 accept
	} }`},
	{"a time to live that ends the way", `table inet t { chain p { type filter hook prerouting priority -50; iifname "tun1" ip ttl set 1
	iifname "ext0" ip6 hoplimit set 1; iifname "mgmt0" ip ttl set 2
	} chain f { type filter hook forward priority 0; ip ttl set 1
	} }`},
	{"masquerading over loopback", `table ip n { chain s { type nat hook postrouting priority srcnat; masquerade
	} chain i { type filter hook input priority 0; policy accept; iifname "lo" tcp dport 22 ip saddr 127.0.0.1 drop; iifname "lo" udp dport 53 ip saddr 127.0.0.0/8 drop
	} }`},
	{"what is confirmed over loopback", `table inet c { chain p { type filter hook prerouting priority 0; ct status confirmed tcp dport { 22, 80 } drop
	ct status & (seen-reply | assured) != 0 drop
	} chain i { type filter hook input priority 0; ct status & confirmed == 0 udp dport 53 drop
	} }`},
	{"a SYN with other flags is a connection attempt", `table inet f { chain i { type filter hook input priority 0; policy accept; tcp dport 22 tcp flags == syn drop
	tcp dport 80 tcp flags { syn, syn | ack } drop; tcp dport 443 tcp flags & (fin | syn | rst | psh | ack | urg) == syn drop
	} chain f { type filter hook forward priority 0; policy drop; ct state established accept; tcp dport 443 tcp flags & (ecn | cwr) != 0 accept
	tcp dport 80 tcp flags & (syn | psh) == (syn | psh) accept; tcp dport 8443 tcp flags & (fin | syn | rst | ack) == syn accept
	} }`},
	{"goto does not come back", `table inet a {
	chain c1 { goto c2
	}
	chain c2 { tcp dport 80 accept
	}
	chain i { type filter hook input priority 0; policy drop; jump c1; udp dport 53 accept
	tcp dport 22 goto c2; accept
	} }`},
	{"translation comes before the filter", `table ip n { chain p { type nat hook prerouting priority dstnat; tcp dport 8080 dnat to 172.17.0.2:80
	udp dport 5353 redirect to :53
	} chain po { type nat hook postrouting priority srcnat; oifname "ext0" masquerade
	} }
	table inet f { chain fw { type filter hook forward priority 0; policy drop; tcp dport 80 accept; ct state established accept
	} chain i { type filter hook input priority 0; tcp dport 8080 drop; udp dport 5353 drop
	} }`},
	{"chains of type nat run at the kernel's priority", `table ip n { chain p { type nat hook prerouting priority 50; tcp dport 8080 dnat to 10.10.0.1:22
	} }
	table ip f { chain p { type filter hook prerouting priority 0; tcp dport 8080 drop; tcp dport 22 counter accept
	} chain q { type filter hook prerouting priority -110; tcp dport 22 drop
	} }`},
	{"the first translation counts", `table ip n1 { chain p { type nat hook prerouting priority -110; tcp dport 80 dnat to 10.10.0.1
	tcp dport 443 accept
	} }
	table ip n2 { chain p { type nat hook prerouting priority -100; tcp dport 80 dnat to 172.17.0.2; tcp dport 443 dnat to 172.17.0.3:80
	} }`},
	{"marks change the route", `table inet m { chain p { type filter hook prerouting priority mangle; tcp dport 443 meta mark set 0x77
	} chain o { type route hook output priority mangle; tcp dport 443 meta mark set 0x77; udp dport 53 meta mark set 0x77
	} chain o2 { type filter hook output priority 10; tcp dport 80 meta mark set 0x77
	} }`},
	{"notrack", `table inet r { chain p { type filter hook prerouting priority raw; udp dport 53 notrack; tcp dport 22 notrack
	} chain late { type filter hook prerouting priority -150; tcp dport 80 notrack
	} chain i { type filter hook input priority 0; policy drop; ct state untracked accept; ct state new tcp dport 80 accept; ct status dnat drop; ct state invalid drop
	ct direction original accept
	} }`},
	{"states of first packets", `table inet s { chain i { type filter hook prerouting priority 0; policy accept; ct state invalid drop
	ct state untracked accept; ct state new tcp flags != syn drop
	} chain raw { type filter hook prerouting priority -300; ct state new drop; ct direction original drop
	ct state invalid icmp type echo-request drop
	} }`},
	{"lengths and missing headers", `table inet l { chain i { type filter hook prerouting priority 0; policy accept; @th,160,8 != 0 tcp dport 22 drop
	udp dport != 53 meta l4proto icmp drop
	tcp dport != 22 ip6 nexthdr icmpv6 drop
	ip saddr != 10.10.0.9 icmpv6 type echo-request drop
	exthdr frag exists drop
	rt type 0 drop
	} }`},
	{"types of addresses", `table inet f { chain i { type filter hook prerouting priority 0; policy accept; fib daddr type local tcp dport 22 drop
	fib daddr . iif type local udp dport 53 drop
	fib daddr type blackhole drop; fib daddr type { unreachable, prohibit } drop
	fib daddr type unicast tcp dport 80 drop; fib saddr type local drop
	} }`},
	{"reverse path by rule", `table inet f { chain i { type filter hook prerouting priority -300; policy accept; fib saddr . iif oif missing drop
	} }`},
	{"only frames for many", `table inet f { chain i { type filter hook input priority 0; policy drop; meta pkttype broadcast accept
	ether daddr 01:00:5e:00:00:00-01:00:5e:7f:ff:ff udp dport 53 accept; iifname ext0 meta pkttype multicast tcp dport 22 accept
	} }`},
	{"senders without an address", `table inet f { chain i { type filter hook prerouting priority -300; policy accept
	udp dport 53 fib saddr . iif oif missing drop; tcp dport 22 fib daddr oif missing drop; udp dport 161 fib saddr oif missing drop
	meta l4proto { icmp, icmpv6 } fib daddr . iif oif missing drop; ip protocol icmp fib saddr oif missing drop
	fib daddr type multicast tcp dport 80 drop
	}
	chain in { type filter hook input priority 0; policy accept; tcp dport 443 fib saddr . iif oif missing drop
	meta pkttype broadcast udp dport 161 drop; meta pkttype multicast udp dport 53 drop; ether daddr ff:ff:ff:ff:ff:ff tcp dport 22 drop
	} }`},
	{"reverse path by rule, loose", `table inet f { chain i { type filter hook prerouting priority 0; policy accept; fib saddr oif missing drop
	fib daddr oif "mgmt0" udp dport 53 drop
	fib daddr oifname "lo" drop
	fib daddr . mark oif exists tcp dport 443 drop
	} }`},
	{"sets", `table inet s {
	set addrs { type ipv4_addr; flags interval; elements = { 10.10.0.0/25, 192.168.0.0-192.168.6.255, 8.8.8.8 } }
	set pairs { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/8 . 1-100, 203.0.113.9 . 22 } }
	set exact { type ipv4_addr . inet_service . inet_proto; elements = { 203.0.113.9 . 80 . tcp, 172.17.0.2 . 53 . udp } }
	map verdicts { type inet_service : verdict; flags interval; elements = { 22 : accept, 80-90 : jump c, 443 : goto c, 1000-2000 : drop, 8080 : return, 53 : continue } }
	set v6 { type ipv6_addr; flags interval; elements = { fd17::/64, fd10::9 } }
	chain c { ip saddr 172.17.0.0/16 accept; ip6 saddr @v6 accept
	}
	chain i { type filter hook input priority 0; policy drop; ip saddr . th dport @pairs accept
	ip saddr . th dport . meta l4proto @exact accept
	th dport vmap @verdicts; ip saddr != @addrs icmp type echo-request accept; udp dport 53 accept
	} }`},
	{"catch-all elements", `table inet s { map m { type inet_service : verdict; elements = { 22 : accept, * : drop } }
	map n { type ipv4_addr : verdict; flags interval; elements = { 10.0.0.0/8 : accept, * : jump c } }
	chain c { tcp dport 8080 reject with tcp reset; udp dport 161 reject
	}
	chain i { type filter hook input priority 0; policy accept; ip saddr vmap @n; tcp dport vmap @m
	} }`},
	{"maps to translations", `table ip n { map onward { type inet_service : ipv4_addr . inet_service; elements = { 8080 : 172.17.0.2 . 80, 8443 : 10.10.0.9 . 443 } }
	chain p { type nat hook prerouting priority dstnat; dnat ip addr . port to tcp dport map @onward
	} chain o { type nat hook output priority -100; tcp dport 8080 dnat to 127.0.0.1:22; udp dport 5353 redirect to :53
	} }`},
	{"byte order and masks", `table inet b { chain i { type filter hook prerouting priority 0; policy accept; meta mark set tcp dport map { 22 : 22, 80 : 0x50, 443 : 0x1bb0, 8080 : 0x1f90 }
	meta mark 22 drop; meta mark 0x50-0x5a drop; meta mark & 0xf000 == 0x1000 drop; meta mark set meta mark << 4; meta mark 0x350 drop
	} chain j { type filter hook input priority 0; meta mark >= 0x1f900 drop; meta mark set meta mark >> 4 & 0xff | 0x100; meta mark 0x1b0 reject
	} }`},
	{"interfaces", `table inet n { chain f { type filter hook forward priority 0; policy accept; iifname "vw*" drop; iifname "docker0" oifname "mgmt0" drop
	iif mgmt0 oif ext0 drop; iifname { "ext0", "tun1" } oifname != "docker0" reject; iiftype ether oifname "tun1" drop; meta iifkind "tun" oifname "docker0" drop
	meta iifgroup 0 oifname "ext0" accept
	} chain i { type filter hook input priority 0; oifname "lo" drop; iif lo accept; iifname != "*x" tcp dport 22 drop
	} }`},
	{"the type of the incoming interface is that of the present one", `table inet n { chain po { type filter hook postrouting priority 0; iiftype ether tcp dport 22 drop; iiftype 65534 udp dport 53 drop
	} chain o { type filter hook output priority 0; iiftype ether drop
	} }`},
	{"dormant tables", `table inet d { flags dormant; chain i { type filter hook input priority 0; policy drop
	} }`},
	{"the other family", `table ip f { chain i { type filter hook input priority 0; policy drop; icmp type echo-request accept
	} }`},
	{"rejects", `table inet r { chain i { type filter hook input priority 0; tcp dport 22 reject with tcp reset; udp dport 53 reject with icmpx type admin-prohibited; icmp type echo-request reject
	} chain f { type filter hook forward priority 0; reject
	} chain p { type filter hook prerouting priority 10; tcp dport 8080 reject with tcp reset
	} chain o { type filter hook output priority 0; tcp dport 443 reject with tcp reset; udp dport 161 reject
	} }`},
	{"ingress", `table netdev n { chain e { type filter hook ingress device "ext0" priority 0; ether saddr 02:00:00:00:00:07 drop; tcp dport 22 drop
	ip saddr 8.8.4.4 udp dport 53 drop; vlan id 5 drop
	} chain m { type filter hook ingress device "mgmt0" priority 0; ether saddr 02:00:00:00:00:07 drop; meta protocol ip6 drop; meta protocol ip tcp dport 80 drop
	} }
	table inet i { chain e { type filter hook ingress device "tun1" priority 10; ip daddr 10.10.0.1 drop; ip6 daddr fd10::1 drop; meta mark set 0x77
	} }`},
	{"a link-local address belongs to the link of the packet", `table ip6 f { chain p { type filter hook prerouting priority 0; fib daddr type unicast drop
	} chain i { type filter hook input priority 0; tcp dport 22 fib saddr . iif oif missing drop
	} }`},
	{"ports that a translation chooses", `table inet n { chain po { type nat hook postrouting priority srcnat; tcp dport 22 masquerade to :2000-3000; udp dport 53 masquerade random; meta nfproto ipv4 tcp dport 80 snat ip to 203.0.113.7:40000-40010
	} }
	table inet f { chain po { type filter hook postrouting priority 200; tcp sport 2000-3000 drop; ip saddr 203.0.113.7 tcp sport 40000-40010 drop; udp sport 40000 drop
	} }`},
	{"queueing classes", `table inet f { chain p { type filter hook prerouting priority 0; tcp dport 22 meta priority set 0x16; udp dport 53 meta priority set 0x9
	} chain i { type filter hook input priority 0; meta priority 0x16 drop; meta priority 0x9 reject
	} chain f { type filter hook forward priority 0; meta priority 0x16 drop; rt classid 5 drop
	} }`},
	{"realms", `table inet f { chain p { type filter hook prerouting priority 0; rt classid 0 drop; rt classid != 7 drop
	} chain i { type filter hook input priority 0; rt classid 0x20000 tcp dport 22 drop; rt classid { 0x50000, 0x90000 } drop; meta nfproto ipv6 rt classid 0 udp dport 161 drop
	} chain f { type filter hook forward priority 0; rt classid 0x20005 reject; rt classid & 0xffff == 9 drop; rt classid 0x70002 drop; rt classid 2 drop
	} chain o { type filter hook output priority 0; rt classid 5 drop; rt classid 0 tcp dport 22 reject; rt ipsec exists drop
	} }`},
	{"zones of one direction", `table inet z { chain r { type filter hook prerouting priority raw; tcp dport 22 ct original zone set 5; udp dport 53 ct reply zone set 6; tcp dport 80 ct zone set 7
	} chain i { type filter hook input priority 0; ct original zone 5 drop; ct reply zone 6 drop; ct zone 7 reject; ct reply zone 5 accept; ct original zone 6 accept
	} chain f { type filter hook forward priority 0; ct reply zone 5 drop; ct original zone 5 reject; ct zone 6 drop; ct reply zone 7 drop
	} }`},
	{"filters at the priorities of translation and conntrack", `table ip n { chain p { type nat hook prerouting priority -100; tcp dport 8080 dnat to 10.10.0.1:22
	} chain po { type nat hook postrouting priority 100; masquerade
	} }
	table inet f { chain p { type filter hook prerouting priority -100; tcp dport 8080 drop
	} chain r { type filter hook prerouting priority -200; udp dport 53 ct state new drop
	} chain po { type filter hook postrouting priority 100; ip saddr 10.10.0.1 drop
	} }`},
	{"hardware addresses", `table inet n { chain p { type filter hook prerouting priority 0; ether saddr 02:00:00:00:00:08 drop; meta iiftype ether udp dport 53 drop
	} chain f { type filter hook forward priority 0; ether saddr != 02:00:00:00:00:07 drop
	} }`},
	{"connection marks", `table inet m { chain p { type filter hook prerouting priority mangle; tcp dport 22 ct mark set 0x22; udp dport 53 ct mark set mark; meta l4proto icmp ct mark set 0x80 meta mark set ct mark
	} chain i { type filter hook input priority 0; ct mark 0x22 drop; ct mark & 0x80 == 0x80 drop; mark 0x80 reject
	} }`},
	{"original addresses", `table ip n { chain p { type nat hook prerouting priority dstnat; tcp dport 8080 dnat to 10.10.0.1:22; tcp dport 8443 redirect to :22
	} }
	table ip f { chain i { type filter hook input priority 0; tcp dport 22 ct original proto-dst 8080 drop; ct status dnat tcp dport 22 ct original ip daddr 203.0.113.1 reject; tcp dport 22 ct reply proto-src 22 ct status dnat drop
	} chain f { type filter hook forward priority 0; ct original ip saddr 10.10.0.9 drop; ct reply ip saddr 172.17.0.2 drop
	} }`},
	{"sets that the packet changes", `table inet d { set seen { type ipv4_addr; flags dynamic; timeout 1h; size 1000; }
	chain p { type filter hook prerouting priority -10; tcp dport 22 add @seen { ip saddr }; tcp dport 80 update @seen { ip daddr timeout 5m }
	tcp dport 22 ip saddr @seen drop; tcp dport 80 delete @seen { ip daddr }; tcp dport 80 ip daddr @seen drop; tcp dport 22 accept
	} }`},
	{"loopback from outside", `table ip n { chain p { type nat hook prerouting priority dstnat; tcp dport 8080 dnat to 127.0.0.1; tcp dport 443 dnat to 127.0.0.1:8080
	} chain po { type nat hook postrouting priority srcnat; masquerade
	} }`},
	{"translation of the source at input and after", `table ip n { chain i { type nat hook input priority 100; tcp dport 22 snat to 10.9.9.9
	} chain po { type nat hook postrouting priority srcnat; ip saddr 172.17.0.0/16 snat to 203.0.113.2; oifname "mgmt0" masquerade
	} }
	table ip f { chain po { type filter hook postrouting priority 200; ip saddr 203.0.113.2 udp dport 53 drop; ip saddr 10.10.0.1 tcp dport 443 drop
	} chain pi { type filter hook input priority 110; ip saddr 10.9.9.9 drop
	} }`},
	{"networks mapped to networks", `table ip n { chain p { type nat hook prerouting priority dstnat; ip daddr 192.168.1.0/24 dnat ip prefix to ip daddr map { 192.168.1.0/24 : 172.17.0.0/24 }
	tcp dport 8000-8010 dnat to 10.10.0.1:20-25
	} }`},
	{"services of a cluster", `table ip k {
	map ips { type ipv4_addr . inet_proto . inet_service : verdict; elements = { 10.96.0.1 . tcp . 443 : goto svc1, 10.96.0.10 . udp . 53 : goto svc2 } }
	map nodeports { type inet_proto . inet_service : verdict; elements = { tcp . 30080 : goto ext1 } }
	map none { type ipv4_addr . inet_proto . inet_service : verdict; elements = { 10.96.0.99 . tcp . 80 : goto refuse } }
	set nodes { type ipv4_addr; elements = { 203.0.113.1, 10.10.0.1 } }
	chain refuse { reject
	}
	chain ep1 { ip saddr 172.17.0.2 jump hairpin
	meta l4proto tcp dnat to 172.17.0.2:6443
	}
	chain ep2 { meta l4proto tcp dnat to 172.17.0.3:6443
	}
	chain ep3 { meta l4proto udp dnat to 172.17.0.2:53
	}
	chain hairpin { meta mark set mark or 0x4000
	}
	chain svc1 { ip saddr != 172.17.0.0/16 jump hairpin
	numgen random mod 2 vmap { 0 : goto ep1, 1 : goto ep2 }
	}
	chain svc2 { numgen random mod 1 vmap { 0 : goto ep3 }
	}
	chain ext1 { jump hairpin; goto svc1
	}
	chain services { ip daddr . meta l4proto . th dport vmap @ips
	ip daddr @nodes meta l4proto . th dport vmap @nodeports
	}
	chain p { type nat hook prerouting priority dstnat; jump services
	} chain o { type nat hook output priority -100; jump services
	} chain post { type nat hook postrouting priority srcnat; mark and 0x4000 == 0 return
	meta mark set meta mark xor 0x4000; masquerade fully-random
	} chain f { type filter hook forward priority -110; ct state new ip daddr . meta l4proto . th dport vmap @none
	} chain pf { type filter hook prerouting priority -110; ip daddr . meta l4proto . th dport vmap @none
	} }`},
	{"headers that rules write over", `table inet w { chain r { type filter hook prerouting priority -300; policy accept
	meta nfproto ipv4 tcp dport 8080 tcp dport set 22 ip daddr set 10.10.0.1; ip daddr 192.168.7.7 ip daddr set 172.17.0.2; ip saddr 203.0.113.9 udp dport 161 ip saddr set 8.8.4.4
	ip6 daddr 2001:db8::5 ip6 daddr set fd17::2; udp sport set 53; tcp dport 443 ip ttl set 7
	} chain p { type filter hook prerouting priority -150; policy accept; tcp dport 8443 tcp dport set 443; meta nfproto ipv4 udp dport 5353 udp dport set 53 ip daddr set 203.0.113.1
	} chain i { type filter hook input priority 0; policy accept; tcp dport 22 drop; udp sport 53 udp dport 623 drop; ip saddr 8.8.4.4 drop; meta l4proto tcp ct original proto-dst 8080 drop
	} chain f { type filter hook forward priority 0; policy accept; ip daddr 172.17.0.2 tcp dport 80 drop; ip6 daddr fd17::2 drop; ip saddr 8.8.4.4 drop
	} }`},
	{"the type of service that rules write over", `table inet w { chain r { type filter hook prerouting priority -300; policy accept; tcp dport 22 ip dscp set cs1; tcp dport 22 ip6 dscp set ef
	tcp dport 80 ip dscp set af11
	} chain i { type filter hook input priority 0; policy accept; ip dscp cs1 drop; ip6 dscp ef drop
	} }`},
	{"objects", `table inet o { counter c { }
	ct helper h { type "ftp" protocol tcp; }
	map m { type ipv4_addr : counter; elements = { 10.10.0.9 : "c", 203.0.113.9 : "c" } }
	chain i { type filter hook input priority 0; policy accept; counter name c tcp dport 22 drop; tcp dport 80 counter name ip saddr map @m drop
	} }`},
	{"bits of fields", `table inet b { chain i { type filter hook prerouting priority 0; ip frag-off & 0x1fff != 0 drop; ip hdrlength 5 tcp dport 22 drop; ip version 6 drop; ip dscp cs1 drop; ip6 dscp ef drop
	tcp flags & (fin | syn | rst | ack) == syn tcp dport 80 drop; tcp flags fin drop; tcp doff 5 tcp dport 443 drop
	@nh,72,8 17 @th,16,16 53 drop
	} }`},
}

// randomRuleset makes a ruleset out of a grammar that nft accepts.
func randomRuleset(r *rand.Rand) string {
	var b strings.Builder
	for i := range 1 + r.IntN(3) {
		family := pick(r, "inet", "inet", "ip", "ip6")
		fmt.Fprintf(&b, "table %s t%d {\n", family, i)
		randomSets(&b, r)
		g := &grammar{r: r, family: family}
		// Chains come before those that call them, so that no loop can be made.
		for c := range 1 + r.IntN(4) {
			g.chains = append(g.chains, fmt.Sprintf("c%d", c))
			fmt.Fprintf(&b, "\tchain c%d {\n", c)
			own := *g
			own.chains = g.chains[:c]
			own.rules(&b, r.IntN(6))
			b.WriteString("\t}\n")
		}
		for c := range 1 + r.IntN(4) {
			g.base(&b, c)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func randomSets(b *strings.Builder, r *rand.Rand) {
	fmt.Fprintf(b, "\tset a4 { type ipv4_addr; flags interval; auto-merge; elements = { %s, %s, 10.10.0.0/%d } }\n", v4(r), v4(r), 25+r.IntN(7))
	fmt.Fprintf(b, "\tset a6 { type ipv6_addr; elements = { %s } }\n", v6(r))
	fmt.Fprintf(b, "\tset ports { type inet_service; flags interval; auto-merge; elements = { %d, %d-%d } }\n", port(r), 1000, 2000+r.IntN(10000))
	fmt.Fprintf(b, "\tset pair { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/%d . %d-%d } }\n", 8+r.IntN(20), 1+r.IntN(60), 70+r.IntN(9000))
	fmt.Fprintf(b, "\tset trip { type ifname . inet_proto . inet_service; elements = { \"ext0\" . tcp . %d, \"mgmt0\" . udp . %d } }\n", port(r), port(r))
}

var (
	somePorts = []int{22, 53, 80, 81, 161, 443, 623, 2375, 5353, 8080, 8443, 18789}
	someV4    = []string{"10.10.0.1", "10.10.0.9", "203.0.113.1", "203.0.113.9", "172.17.0.1", "172.17.0.2", "8.8.8.8", "192.168.1.1", "192.168.7.7", "10.99.0.9"}
	someV6    = []string{"fd10::1", "fd10::9", "fd20::1", "fd20::9", "fd17::1", "fd17::2", "2001:db8::5"}
)

func v4(r *rand.Rand) string { return pick(r, someV4...) }
func v6(r *rand.Rand) string { return pick(r, someV6...) }
func port(r *rand.Rand) int  { return pick(r, somePorts...) }
func dev(r *rand.Rand) string {
	return pick(r, "ext0", "mgmt0", "docker0", "tun1", "lo", "vw1")
}

type grammar struct {
	r      *rand.Rand
	family string
	chains []string
	hook   string
	kind   string
}

// hooks of each chain type, with priorities around those of the kernel's own hooks.
func (g *grammar) base(b *strings.Builder, n int) {
	r := g.r
	own := *g
	own.kind = pick(r, "filter", "filter", "filter", "filter", "nat", "route")
	prio := pick(r, -300, -150, -101, -50, 0, 0, 1, 50, 100, 225)
	switch own.kind {
	case "nat":
		own.hook = pick(r, "prerouting", "prerouting", "output", "postrouting", "input")
		prio = pick(r, -100, -99, 0, 100)
	case "route":
		own.hook, prio = "output", pick(r, -150, 0, 30)
		if g.family == "inet" {
			own.kind = "filter"
		}
	default:
		own.hook = pick(r, "prerouting", "input", "input", "forward", "forward", "output", "postrouting")
	}
	policy := "accept"
	if r.IntN(4) == 0 && own.kind != "nat" {
		policy = "drop"
	}
	fmt.Fprintf(b, "\tchain b%d {\n\t\ttype %s hook %s priority %d; policy %s\n", n, own.kind, own.hook, prio, policy)
	if own.kind == "nat" {
		for range 1 + r.IntN(3) {
			b.WriteString("\t\t" + own.translation() + "\n")
		}
	} else {
		own.rules(b, 1+r.IntN(8))
	}
	b.WriteString("\t}\n")
}

func (g *grammar) rules(b *strings.Builder, n int) {
	for range n {
		b.WriteString("\t\t" + g.rule() + "\n")
	}
}

func (g *grammar) rule() string {
	var parts []string
	l4 := ""
	for range g.r.IntN(4) {
		m, proto := g.match(l4)
		if proto != "" {
			l4 = proto
		}
		parts = append(parts, m)
	}
	if g.r.IntN(5) == 0 {
		parts = append(parts, g.statement())
	}
	parts = append(parts, g.verdict(l4))
	return strings.TrimSpace(strings.Join(parts, " "))
}

func (g *grammar) neg() string { return pick(g.r, "", "", "", "!= ") }

// match is one condition. l4 is the transport that the rule already asks for: another one would be
// refused.
func (g *grammar) match(l4 string) (text, proto string) {
	r := g.r
	for {
		switch r.IntN(24) {
		case 0, 1:
			if g.family != "ip6" {
				return fmt.Sprintf("ip %s %s%s", pick(r, "saddr", "daddr"), g.neg(), pick(r, v4(r), v4(r)+fmt.Sprintf("/%d", 16+r.IntN(17)), "@a4", "{ "+v4(r)+", 192.168.0.0/16 }", "10.0.0.0-10.50.0.0")), ""
			}
		case 2:
			if g.family != "ip" {
				return fmt.Sprintf("ip6 %s %s%s", pick(r, "saddr", "daddr"), g.neg(), pick(r, v6(r), "fd17::/64", "@a6", "fd00::/8")), ""
			}
		case 3, 4, 5, 6:
			if l4 == "" || l4 == "tcp" || l4 == "udp" {
				p := l4
				if p == "" {
					p = pick(r, "tcp", "tcp", "udp")
				}
				return fmt.Sprintf("%s %s %s", p, pick(r, "dport", "dport", "dport", "sport"), pick(r,
					fmt.Sprint(port(r)), fmt.Sprintf("!= %d", port(r)), fmt.Sprintf("{ %d, %d-%d }", 22, 400, 500), "@ports", fmt.Sprintf("< %d", port(r)),
					fmt.Sprintf(">= %d", port(r)), fmt.Sprintf("%d-%d", 20, 20+r.IntN(8000)), fmt.Sprintf("!= %d-%d", 20, 20+r.IntN(8000)))), p
			}
		case 7:
			if l4 == "" {
				return "meta l4proto " + pick(r, "tcp", "udp", "{ tcp, udp }", "!= udp", "{ icmp, ipv6-icmp }", "47"), "?"
			}
		case 8:
			key := pick(r, "iifname", "oifname", "iifname")
			if g.hook == "prerouting" || g.hook == "input" {
				key = "iifname"
			}
			return key + " " + g.neg() + pick(r, `"`+dev(r)+`"`, `{ "`+dev(r)+`", "zz0" }`, `"doc*"`), ""
		case 9:
			return "ct state " + pick(r, "new", "established", "invalid", "{ new, untracked }", "established,related", "!= new", "new,invalid", "! new"), ""
		case 10:
			return "ct " + pick(r, "status dnat", "direction original", "mark 0", "status != snat", "zone 0", "direction reply", "protocol tcp", "original proto-dst "+fmt.Sprint(port(r))), ""
		case 11:
			return "meta mark " + pick(r, "0", "!= 0", "0x77", "& 0xf0 == 0x70", "{ 1, 2, 0x77 }", "0x10-0x80"), ""
		case 12:
			if l4 == "" || l4 == "tcp" {
				return "tcp flags " + pick(r, "syn", "& (syn | ack) == syn", "& (fin | syn | rst | ack) == ack", "!= syn", "{ syn, ack }", "& rst == rst"), "tcp"
			}
		case 13:
			if l4 == "" && g.family != "ip6" {
				return "icmp type " + pick(r, "echo-request", "{ echo-reply, destination-unreachable }", "!= echo-request"), "icmp"
			}
		case 14:
			if l4 == "" && g.family != "ip" {
				return "icmpv6 type " + pick(r, "echo-request", "{ nd-neighbor-solicit, echo-reply }", "!= echo-request"), "icmpv6"
			}
		case 15:
			if g.hook != "" && (g.hook == "prerouting" || g.hook == "input" || g.hook == "forward" || g.hook == "output") {
				return "fib daddr type " + pick(r, "local", "unicast", "!= local", "{ local, broadcast }"), ""
			}
		case 16:
			if g.hook == "prerouting" || g.hook == "input" {
				return "fib saddr . iif oif " + pick(r, "missing", "exists"), ""
			}
		case 17:
			if g.family != "ip6" && (l4 == "" || l4 == "tcp") {
				return pick(r, "ip saddr . tcp dport @pair", "ip daddr . tcp dport { "+v4(r)+" . "+fmt.Sprint(port(r))+", "+v4(r)+" . 80 }"), "tcp"
			}
		case 18:
			if l4 == "" {
				return "iifname . meta l4proto . th dport @trip", "?"
			}
		case 19:
			return pick(r, "meta nfproto ipv4", "meta protocol ip", "meta pkttype host", "meta protocol != ip6", "iiftype ether", "iif lo", `meta iifkind "tun"`,
				"rt classid "+g.neg()+pick(r, "0", "2", "5", "0x20000", "0x20005", "0x50009")), ""
		case 20:
			if l4 == "" {
				return "@nh,72,8 " + pick(r, "6", "17", "!= 6"), "?"
			}
		case 21:
			if l4 == "" || l4 == "tcp" || l4 == "udp" {
				return "th dport " + g.neg() + fmt.Sprint(port(r)), "th"
			}
		case 22:
			if l4 == "" && g.family != "ip6" {
				return "ip protocol " + pick(r, "tcp", "udp", "{ tcp, icmp }"), "?"
			}
		default:
			return pick(r, "ct state new", "meta mark 0"), ""
		}
	}
}

func (g *grammar) statement() string {
	return pick(g.r, "counter", "meta mark set 0x77", "meta mark set meta mark | 0x10", "meta mark set meta mark & 0xf", "ct mark set 0x5", "ct mark set mark", "meta mark set ct mark",
		"log group 3", "meta mark set meta mark ^ 0x70", "meta priority set 1:2", "counter meta mark set 2")
}

func (g *grammar) verdict(l4 string) string {
	r := g.r
	switch r.IntN(12) {
	case 0, 1, 2:
		return "accept"
	case 3, 4:
		return "drop"
	case 5:
		if g.hook != "postrouting" && g.hook != "" {
			return pick(r, "reject", "drop")
		}
		return "drop"
	case 6, 7:
		if len(g.chains) > 0 {
			return pick(r, "jump ", "jump ", "goto ") + pick(r, g.chains...)
		}
	case 8:
		return "return"
	case 9:
		if len(g.chains) > 0 && (l4 == "tcp" || l4 == "udp") {
			return fmt.Sprintf("%s dport vmap { %d : accept, %d-%d : jump %s, 1024-2000 : drop }", l4, 22, 80, 90, pick(r, g.chains...))
		}
	case 10:
		if len(g.chains) > 0 {
			return fmt.Sprintf(`iifname vmap { "ext0" : jump %s, "mgmt0" : accept, "tun1" : return }`, pick(r, g.chains...))
		}
	}
	return ""
}

// translation is a rule of a nat chain.
func (g *grammar) translation() string {
	r := g.r
	ip, to, any := "ip", v4(r), "172.17.0.2"
	if g.family == "ip6" || g.family == "inet" && r.IntN(3) == 0 {
		ip, to, any = "ip6", "["+v6(r)+"]", "[fd17::2]"
	}
	p := pick(r, "tcp", "udp")
	m := fmt.Sprintf("%s dport %s ", p, pick(r, fmt.Sprint(port(r)), fmt.Sprint(port(r)), "1000-9000", "@ports"))
	if g.family == "inet" {
		m = "meta nfproto " + map[string]string{"ip": "ipv4 ", "ip6": "ipv6 "}[ip] + m
	}
	switch g.hook {
	case "prerouting", "output":
		return m + pick(r, "dnat "+ip+" to "+strings.Trim(to, "[]"), fmt.Sprintf("dnat %s to %s:%d", ip, to, port(r)), fmt.Sprintf("redirect to :%d", port(r)), "redirect",
			fmt.Sprintf("dnat %s to %s:%d", ip, any, port(r)), "accept", "return")
	case "postrouting":
		return m + pick(r, "masquerade", "snat "+ip+" to "+strings.Trim(any, "[]"), "accept")
	}
	return m + pick(r, "snat "+ip+" to "+strings.Trim(any, "[]"), "accept")
}
