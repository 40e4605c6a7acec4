//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
)

// memcachedValued are the letters of options of memcached(1) that have a value.
const memcachedValued = "asUpmcluPfntDRbBIYeoN"

// memcachedLong are the long names of its options, each with its letter.
var memcachedLong = map[string]byte{
	"port": 'p', "udp-port": 'U', "unix-socket": 's', "unix-mask": 'a', "enable-shutdown": 'A', "listen": 'l', "daemon": 'd', "enable-coredumps": 'r',
	"user": 'u', "memory-limit": 'm', "disable-evictions": 'M', "conn-limit": 'c', "lock-memory": 'k', "verbose": 'v', "help": 'h', "license": 'i',
	"version": 'V', "pidfile": 'P', "slab-growth-factor": 'f', "slab-min-size": 'n', "enable-largepages": 'L', "threads": 't',
	"max-reqs-per-event": 'R', "disable-cas": 'C', "listen-backlog": 'b', "protocol": 'B', "max-item-size": 'I', "enable-sasl": 'S',
	"disable-flush-all": 'F', "disable-dumping": 'X', "disable-watch": 'W', "auth-file": 'Y', "memory-file": 'e', "enable-ssl": 'Z', "extended": 'o',
	"napi_ids": 'N', "napi-ids": 'N',
}

// memcachedAccess reads the options of memcached(1): it asks with SASL, with a file of users, or with TLS for certificates. UDP has no TLS, nor have
// addresses that say so.
func memcachedAccess(d *dataFiles) access {
	letters, vals := memcachedOptions(d.argv)
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

// memcachedOptions are the letters of the options in the arguments, long ones too, and their values (getopt_long(3)): a value is no option, words
// that are none are passed over, and a long name can be short of its end.
func memcachedOptions(argv []string) (letters string, vals map[byte][]string) {
	vals = map[byte][]string{}
	for i := 1; i < len(argv) && argv[i] != "--"; i++ {
		a := argv[i]
		if len(a) < 2 || a[0] != '-' {
			continue
		}
		given, value, valued := a[1:], "", false
		if long, ok := strings.CutPrefix(a, "--"); ok {
			name, v, with := strings.Cut(long, "=")
			given, value, valued = memcachedLetter(name), v, with
		} else if at := strings.IndexAny(given, memcachedValued); at >= 0 && at+1 < len(given) {
			given, value, valued = given[:at+1], given[at+1:], true
		}
		letters += given
		if given == "" || !strings.ContainsRune(memcachedValued, rune(given[len(given)-1])) {
			continue
		}
		if !valued {
			if i++; i < len(argv) {
				value = argv[i]
			}
		}
		letter := given[len(given)-1]
		vals[letter] = append(vals[letter], value)
	}
	return letters, vals
}

// memcachedLetter is the letter of a long name, or of the only ones that begin so, "" for none.
func memcachedLetter(name string) string {
	if c, ok := memcachedLong[name]; ok {
		return string(c)
	}
	found := ""
	for long, c := range memcachedLong {
		if strings.HasPrefix(long, name) && found != string(c) {
			if found != "" {
				return ""
			}
			found = string(c)
		}
	}
	return found
}
