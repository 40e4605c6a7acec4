//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
)

// memcachedGetopt are the options of memcached(1).
var memcachedGetopt = getopt{valued: "asUpmcluPfntDRbBIYeoN", long: map[string]byte{
	"port": 'p', "udp-port": 'U', "unix-socket": 's', "unix-mask": 'a', "enable-shutdown": 'A', "listen": 'l', "daemon": 'd', "enable-coredumps": 'r',
	"user": 'u', "memory-limit": 'm', "disable-evictions": 'M', "conn-limit": 'c', "lock-memory": 'k', "verbose": 'v', "help": 'h', "license": 'i',
	"version": 'V', "pidfile": 'P', "slab-growth-factor": 'f', "slab-min-size": 'n', "enable-largepages": 'L', "threads": 't',
	"max-reqs-per-event": 'R', "disable-cas": 'C', "listen-backlog": 'b', "protocol": 'B', "max-item-size": 'I', "enable-sasl": 'S',
	"disable-flush-all": 'F', "disable-dumping": 'X', "disable-watch": 'W', "auth-file": 'Y', "memory-file": 'e', "enable-ssl": 'Z', "extended": 'o',
	"napi_ids": 'N', "napi-ids": 'N',
}}

// memcachedAccess reads the options of memcached(1): it asks with SASL, with a file of users, or with TLS for certificates. UDP has no TLS, nor have
// addresses that say so.
func memcachedAccess(d *dataFiles) access {
	letters, vals, _ := memcachedGetopt.read(d.argv)
	verify := ""
	for _, o := range vals['o'] {
		for sub := range strings.SplitSeq(o, ",") {
			if v, ok := strings.CutPrefix(sub, "ssl_verify_mode="); ok {
				verify = v
			}
		}
	}
	a := access{login: dataNone, gives: "reads and writes all that it keeps", how: "neither -S nor -Y is given"}
	if strings.ContainsAny(letters, "SY") {
		return access{login: dataAsks}
	}
	if !strings.Contains(letters, "Z") || !slices.Contains([]string{"2", "3"}, verify) {
		return a
	}
	for _, at := range memcachedClear(vals) {
		port := portNumber(at)
		if port == 0 {
			return access{err: fmt.Errorf("which port is without TLS is not known: %s", at)}
		}
		a.ports = append(a.ports, port)
	}
	if len(a.ports) == 0 {
		return access{login: dataAsks}
	}
	a.how = "UDP and addresses of notls have no TLS"
	return a
}

// memcachedClear are the ports without TLS.
func memcachedClear(vals map[byte][]string) (ports []string) {
	if udp := last(vals['U']); udp != "" && udp != "0" {
		ports = append(ports, udp)
	}
	for _, list := range vals['l'] {
		for _, at := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ';' }) {
			_, host, ok := strings.Cut(at, "notls:")
			if !ok {
				continue
			}
			port := cmp.Or(last(vals['p']), "11211")
			if _, p, err := net.SplitHostPort(host); err == nil {
				port = p
			}
			ports = append(ports, port)
		}
	}
	return ports
}
