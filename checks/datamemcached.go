//go:build linux && !ringfence_portable

package checks

import (
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

// memcachedAccess reads the options of memcached(1): it asks with SASL, with a file of users, or with TLS for certificates.
func memcachedAccess(d *dataFiles) access {
	letters, extended := memcachedOptions(d.argv)
	verify := ""
	for _, o := range extended {
		for sub := range strings.SplitSeq(o, ",") {
			if v, ok := strings.CutPrefix(sub, "ssl_verify_mode="); ok {
				verify = v
			}
		}
	}
	if strings.ContainsAny(letters, "SY") || strings.Contains(letters, "Z") && slices.Contains([]string{"2", "3"}, verify) {
		return access{login: dataAsks}
	}
	return access{login: dataNone, gives: "reads and writes all that it keeps", how: "neither -S nor -Y is given"}
}

// memcachedOptions are the letters of the options in the arguments, long ones too, and the values of -o (getopt_long(3)): a value is no option, words
// that are none are passed over, and a long name can be short of its end.
func memcachedOptions(argv []string) (letters string, extended []string) {
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
		if strings.HasSuffix(given, "o") {
			extended = append(extended, value)
		}
	}
	return letters, extended
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
