//go:build linux && !ringfence_portable

package checks

import "strings"

// hashed counts the sockets of TCP and UDP in the network namespace of the thread that can be asked for: those that listen or are bound, and those that are
// connected (sock_prot_inuse_get; sockstat_seq_show of net/ipv4/proc.c). It is many where the kernel does not tell.
func (s *Scan) hashed() (tcp, udp int) {
	for _, file := range []string{"sockstat", "sockstat6"} {
		b, err := s.Host.ReadFile("/proc/thread-self/net/" + file)
		switch {
		case err == nil:
			tcp, udp = tcp+hashedOf(string(b), "TCP"), udp+hashedOf(string(b), "UDP")
		case file == "sockstat" || !gone(err): // without IPv6 there is no second one
			return many, many
		}
	}
	return tcp, udp
}

// many is more sockets than there are.
const many = 1 << 40

// hashedOf is the count of a protocol, which has another name in the file of IPv6.
func hashedOf(text, proto string) int {
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(line, ":")
		if f := strings.Fields(rest); (name == proto || name == proto+"6") && len(f) > 1 && f[0] == "inuse" {
			return atoiOr(f[1], many)
		}
	}
	return many
}
