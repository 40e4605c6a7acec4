//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	mathbits "math/bits"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// maxExports bounds the exports that are looked at.
const maxExports = 4096

// kernelsNFS is the NFS server of the kernel, if it listens. No process has its sockets.
func (s *Scan) kernelsNFS(out *Outcome) []snapshot.ManagedServer {
	b, err := s.Host.ReadFile("/proc/fs/nfsd/portlist")
	if err != nil {
		if !gone(err) {
			out.partialIn("servers", "whether the kernel serves files by NFS was not seen: %v", cause(err))
		}
		return nil
	}
	v := snapshot.ManagedServer{Name: "NFS", Role: snapshot.RoleData, Kernel: true, Word: snapshot.Word{By: snapshot.ByRoot}, Evidence: "the kernel serves files by NFS"}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) != 2 {
			continue
		}
		if n, err := strconv.Atoi(f[1]); err == nil && !slices.Contains(v.Ports, n) {
			v.Ports = append(v.Ports, n)
		}
	}
	if len(v.Ports) == 0 {
		return nil
	}
	a := s.nfsAccess()
	if a.err != nil {
		v.Settings = unreadSettings(a.err, "login")
		return []snapshot.ManagedServer{v}
	}
	m := map[string]string{"login": a.login}
	if a.gives != "" {
		m["gives"], m["how"] = a.gives, a.how
	}
	if a.login == dataSome && a.sources != "" {
		m["sources"] = a.sources
	}
	v.Settings = given(m)
	return []snapshot.ManagedServer{v}
}

// nfsAccess is the widest of what is exported to whom.
func (s *Scan) nfsAccess() access {
	list, err := s.exports()
	if err != nil {
		return access{err: err}
	}
	slices.SortStableFunc(list, func(a, b export) int { return b.rank() - a.rank() })
	a := access{login: dataAsks}
	for _, e := range list {
		a = moreOpen(a, e.access())
	}
	a.sources = clientsOf(list)
	return a
}

// clientsOf are the networks that exports are for, but for those of everybody and of the host; empty where a name or a netgroup is one of them.
func clientsOf(list []export) string {
	var words []string
	for _, e := range list {
		if e.access().login != dataSome {
			continue
		}
		p, ok := networkOf(e.client)
		if !ok {
			return ""
		}
		words = append(words, p.String())
	}
	return networkList(words)
}

// networkOf is an address, or a network with a length or a mask (exports(5)).
func networkOf(client string) (netip.Prefix, bool) {
	addr, mask, found := strings.Cut(client, "/")
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	bits := a.BitLen()
	if m, err := netip.ParseAddr(mask); err == nil && m.Is4() && a.Is4() {
		raw := m.As4()
		n := binary.BigEndian.Uint32(raw[:])
		if bits = 32 - mathbits.TrailingZeros32(n); mathbits.OnesCount32(n) != bits {
			return netip.Prefix{}, false
		}
	} else if found {
		if bits, err = strconv.Atoi(mask); err != nil {
			return netip.Prefix{}, false
		}
	}
	p, err := a.Prefix(bits)
	return p, err == nil
}

// rootExports are the exports that a client writes as root, where the kernel serves any.
func (s *Scan) rootExports(out *Outcome) (exports []snapshot.RootExport) {
	if b, err := s.Host.ReadFile("/proc/fs/nfsd/portlist"); err != nil || len(strings.TrimSpace(string(b))) == 0 {
		if err != nil && !gone(err) {
			out.partialIn("exports", "whether the kernel serves files by NFS was not seen: %v", cause(err))
		}
		return nil
	}
	list, err := s.exports()
	if err != nil {
		out.partialIn("exports", "what the kernel exports by NFS was not read: %v", cause(err))
	}
	b, _ := s.Host.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	first := strings.TrimSpace(string(b))
	for _, e := range list {
		if e.rank() < 2 || !path.IsAbs(e.dir) {
			continue
		}
		x := snapshot.RootExport{Dir: path.Clean(e.dir), To: e.text, AnyPort: e.anyPort || first != "" && first != "1024", OwnHost: e.access().login == dataLocal}
		if !slices.Contains(exports, x) {
			exports = append(exports, x)
		}
	}
	return exports
}

// exports reads what is exported to whom: the table that exportfs keeps and mountd answers by; without one what it is made of.
func (s *Scan) exports() (list []export, err error) {
	b, err := s.Host.ReadFile("/var/lib/nfs/etab")
	switch {
	case err == nil:
		list = exportsOf(string(b))
	case !gone(err):
		return nil, err
	default:
		files, more := s.Host.Glob("/etc/exports.d/*.exports")
		if more {
			return nil, errManyFiles
		}
		for _, f := range append([]string{"/etc/exports"}, files...) {
			if strings.HasPrefix(path.Base(f), ".") {
				continue
			}
			text, err := s.Host.ReadFile(f)
			if err != nil && !gone(err) {
				return nil, err
			}
			list = append(list, exportsOf(string(text))...)
		}
	}
	cached, err := s.Host.ReadFile("/proc/fs/nfsd/exports") // what clients have asked for since
	if err != nil && !gone(err) {
		return nil, err
	}
	if list = append(list, exportsOf(string(cached))...); len(list) > maxExports {
		return nil, errors.New("it has more exports than are looked at")
	}
	return list, nil
}

// export is a directory that one kind of client may mount (exports(5)), without showing who it is.
type export struct {
	dir, client, text string
	squash
}

// squash is what a client may do, and as whom. Asks says that it shows who it is.
type squash struct{ writes, root, one, asks, anyPort bool }

// exportsOf reads a table of exports: a directory, then clients with options in brackets; options after a dash are those of the clients after them.
func exportsOf(text string) (list []export) {
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		words := exportWords(strings.TrimSpace(line))
		if len(words) == 0 || len(list) > maxExports {
			continue
		}
		usual, clients := "", words[1:]
		if len(clients) == 0 {
			clients = []string{"*"}
		}
		for _, c := range clients {
			if o, ok := strings.CutPrefix(c, "-"); ok {
				usual = o
				continue
			}
			name, options, _ := strings.Cut(c, "(")
			for _, how := range squashes(usual + "," + strings.TrimSuffix(options, ")")) {
				if !how.asks && !strings.HasPrefix(name, "gss/") {
					list = append(list, export{dir: words[0], client: cmp.Or(strings.ToLower(name), "*"), text: c, squash: how})
				}
			}
		}
	}
	return list
}

// squashes are what options say of each kind of login that they name by sec, or of the usual one. What stands before the first is of all of them.
func squashes(options string) (list []squash) {
	all, mtls := squash{}, false
	at := &all
	for o := range strings.SplitSeq(options, ",") {
		switch key, value, _ := strings.Cut(strings.TrimSpace(o), "="); key {
		case "rw", "ro":
			at.writes = key == "rw"
		case "root_squash", "no_root_squash":
			at.root = key == "no_root_squash"
		case "all_squash", "no_all_squash":
			at.one = key == "all_squash"
		case "insecure", "secure":
			at.anyPort = key == "insecure"
		case "xprtsec":
			mtls = value == "mtls"
		case "sec":
			how := all
			how.asks = !slices.ContainsFunc(strings.Split(value, ":"), func(k string) bool { return !strings.HasPrefix(k, "krb5") })
			list = append(list, how)
			at = &list[len(list)-1]
		}
	}
	if len(list) == 0 {
		list = []squash{all}
	}
	for i := range list {
		list[i].asks = list[i].asks || mtls
	}
	return list
}

// exportWords are the words of a line; quotes and octal numbers stand for what a name has in it.
func exportWords(line string) (words []string) {
	var b strings.Builder
	quoted, any := false, false
	flush := func() {
		if any {
			words = append(words, b.String())
		}
		b.Reset()
		any = false
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '#' && !quoted && !any:
			return words
		case c == '"':
			quoted, any = !quoted, true
		case (c == ' ' || c == '\t') && !quoted:
			flush()
		case c == '\\' && i+3 < len(line):
			if n, err := strconv.ParseUint(line[i+1:i+4], 8, 8); err == nil {
				c, i = byte(n), i+3
			}
			b.WriteByte(c)
			any = true
		default:
			b.WriteByte(c)
			any = true
		}
	}
	flush()
	return words
}

func (e export) rank() int {
	switch {
	case e.root && e.writes && !e.one:
		return 2
	case e.writes:
		return 1
	}
	return 0
}

// access is what an export gives: a client says itself which accounts its requests are of.
func (e export) access() access {
	a := access{login: dataSome, how: fmt.Sprintf("%s is exported to %s", e.dir, e.text)}
	switch c := e.client; {
	case c == "*", c == "0.0.0.0/0", c == "0.0.0.0/0.0.0.0", c == "::/0":
		a.login = dataNone
	case c == "localhost", c == "::1", strings.HasPrefix(c, "127."):
		a.login = dataLocal
	}
	switch {
	case !e.writes:
		a.gives = "reads the files of " + e.dir
	case e.one:
		a.gives = "reads and writes the files of " + e.dir + " as one account"
	case e.root:
		a.gives = "reads and writes the files of " + e.dir + " as whoever it says it is, root too"
	default:
		a.gives = "reads and writes the files of " + e.dir + " as whoever it says it is, but for root"
	}
	return a
}
