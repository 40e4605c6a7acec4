//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// haproxyFiles are the files of the options of HAProxy, in their order; of a directory those that end in .cfg count.
func (d *dataFiles) haproxyFiles() (files []string, err error) {
	for _, place := range optionValues(d.argv, "-f") {
		in, more := d.s.globIn(d.p, path.Join(place, "*.cfg"))
		if more || len(files)+len(in) > maxDataFiles {
			return nil, errManyFiles
		}
		if len(in) == 0 {
			in = []string{place}
		}
		slices.Sort(in)
		files = append(files, in...)
	}
	at := slices.Index(d.argv, "--") // what follows is files
	if at >= 0 {
		files = append(files, d.argv[at+1:]...)
	}
	return files, nil
}

// haproxyPort is the port of an address of HAProxy by TCP, 0 of a socket of another kind.
func haproxyPort(addr string) (port int, err error) {
	kind, rest, ok := strings.Cut(addr, "@")
	switch {
	case ok && !slices.Contains([]string{"ipv4", "ipv6", "tcp", "tcp4", "tcp6"}, kind), strings.HasPrefix(addr, "/"):
		return 0, nil
	case ok:
		addr = rest
	}
	if port = portAtEnd(addr); port == 0 {
		err = fmt.Errorf("the port of its socket %s is not known", addr)
	}
	return port, err
}

// haproxyAccess reads the sockets of HAProxy that take commands, "stats socket" of its files and -S of its options: they ask nobody. A page of
// statistics by which servers are taken out (stats admin) without a login hangs on conditions.
func haproxyAccess(d *dataFiles) access {
	files, err := d.haproxyFiles()
	if err != nil {
		return access{err: err}
	}
	a, page := access{login: dataAsks}, haproxyPage{}
	for _, master := range optionValues(d.argv, "-S") {
		addr, options, _ := strings.Cut(master, ",")
		if err := a.haproxySocket(addr, strings.FieldsFunc(options, func(r rune) bool { return r == ',' || r == ' ' }), "admin"); err != nil {
			return access{err: err}
		}
	}
	for _, f := range files {
		text, err := d.text(f)
		if err != nil {
			return access{err: err}
		}
		for line := range strings.Lines(strings.ReplaceAll(text, `"`, "")) {
			w := strings.Fields(line)
			if i := slices.IndexFunc(w, func(x string) bool { return x[0] == '#' }); i >= 0 {
				w = w[:i]
			}
			switch {
			case len(w) > 2 && w[0] == "stats" && w[1] == "socket":
				if err := a.haproxySocket(w[2], w[3:], "operator"); err != nil {
					return access{err: err}
				}
			case len(w) > 0:
				page.line(w)
			}
		}
	}
	if page.end(); page.open && a.login == dataAsks {
		a = access{err: errors.New("its page of statistics changes servers without a login (stats admin), on conditions that are not followed"), ports: page.ports}
	}
	return a
}

// haproxySocket adds a socket for commands with the level that it has if none is told.
func (a *access) haproxySocket(addr string, options []string, level string) error {
	if strings.Contains(addr, "$") {
		return errors.New("the address of its socket is in its environment")
	}
	port, err := haproxyPort(addr)
	if err != nil || port == 0 {
		return err
	}
	if i := slices.Index(options, "level"); i >= 0 && i+1 < len(options) {
		level = options[i+1]
	}
	v := access{login: dataNone, gives: "gives it commands, which take servers out and change its maps and certificates", how: "its socket has the level " + level + " by TCP"}
	switch {
	case slices.Contains(options, "ssl") && slices.Contains(options, "required"): // certificates
		return nil
	case level == "user":
		v.gives = "reads its state"
	case level == "operator":
		v.gives = "reads its state, and clears its counters"
	}
	v.ports = append(slices.Clone(a.ports), port)
	if old := *a; old.login == dataNone {
		v.gives, v.how = cmp.Or(map[bool]string{true: old.gives}[level != "admin"], v.gives), cmp.Or(map[bool]string{true: old.how}[level != "admin"], v.how)
	}
	*a = v
	return nil
}

// haproxyPage is whether a section of HAProxy has a page by which who comes changes servers.
type haproxyPage struct {
	open         bool
	ports        []int
	admin, asked bool
	binds        []int
}

// end closes a section.
func (h *haproxyPage) end() {
	if h.admin && !h.asked {
		h.open, h.ports = true, append(h.ports, h.binds...)
	}
	h.admin, h.asked, h.binds = false, false, nil
}

// haproxySections begin a part of the file that has pages of its own.
var haproxySections = []string{"global", "defaults", "frontend", "backend", "listen", "userlist", "peers", "resolvers", "cache", "program", "ring", "mailers", "http-errors"}

func (h *haproxyPage) line(w []string) {
	switch {
	case slices.Contains(haproxySections, w[0]):
		h.end()
	case len(w) > 1 && w[0] == "bind":
		for addr := range strings.SplitSeq(w[1], ",") {
			if port, err := haproxyPort(addr); err == nil && port > 0 && len(h.binds) < maxServices {
				h.binds = append(h.binds, port)
			}
		}
	case len(w) > 1 && w[0] == "stats":
		h.admin = h.admin || w[1] == "admin"
		h.asked = h.asked || w[1] == "auth" || w[1] == "http-request"
	case w[0] == "http-request":
		h.asked = h.asked || len(w) > 1 && (w[1] == "auth" || w[1] == "deny")
	}
}

// varnishAccess reads the options of varnishd(1) for its command line: it asks for the secret of -S, which it makes itself, unless that is "none".
func varnishAccess(d *dataFiles) access {
	at := last(optionValues(d.argv, "-T"))
	port := portAtEnd(at)
	switch {
	case last(optionValues(d.argv, "-S")) != "none":
		return access{login: dataAsks}
	case at == "none":
		return access{login: dataAsks}
	case port == 0:
		return access{err: errors.New("the port of its command line is not known, and asks nobody (-S none)")}
	}
	return access{
		login: dataNone, ports: []int{port}, how: "-S none",
		gives: "gives it commands, by which it loads a configuration and runs what that has in C",
	}
}

// fpmTitle is the title of the master of PHP-FPM, which has its file.
var fpmTitle = lazily(`^php-fpm: master process \((/[^()]+)\)\s*$`)

// fpmAccess reads the pools of PHP-FPM that listen on TCP. Who talks FastCGI to it sets what PHP runs before a script (auto_prepend_file), which is to
// run commands; listen.allowed_clients are addresses that may.
func fpmAccess(d *dataFiles) access {
	file := last(optionValues(d.argv, "-y", "--fpm-config"))
	if m := fpmTitle.FindStringSubmatch(strings.Join(d.argv, " ")); m != nil {
		file = m[1]
	}
	if file == "" {
		return access{err: errTitle}
	}
	var pools []map[string]string
	if err := d.fpmPools(file, 0, &pools); err != nil {
		return access{err: err}
	}
	a := access{login: dataAsks}
	for _, pool := range pools {
		listen := pool["listen"]
		port := portAtEnd(listen)
		if port == 0 {
			port = atoiOr(listen, 0)
		}
		if strings.HasPrefix(listen, "/") || listen == "" {
			continue
		}
		if port == 0 || strings.Contains(listen+pool["listen.allowed_clients"], "$") {
			return access{err: fmt.Errorf("where its pool [%s] listens is not known", pool[""])}
		}
		v := access{login: dataNone, gives: "runs commands as the account of its pool [" + pool[""] + "] (FastCGI)", how: "listen.allowed_clients is not set"}
		if allowed := strings.FieldsFunc(pool["listen.allowed_clients"], func(r rune) bool { return r == ',' || r == ' ' }); onlyLoopback(allowed) && len(allowed) > 0 {
			v.login = dataLocal
		} else if len(allowed) > 0 {
			v.login = dataSome
			v.how = "listen.allowed_clients = " + strings.Join(allowed, ",")
		}
		if v.login == a.login {
			a.ports = append(a.ports, port)
		} else if v = moreOpen(a, v); v.login != a.login {
			v.ports = []int{port}
			a = v
		}
	}
	return a
}

// fpmPrefix is the directory from which PHP-FPM follows paths, where it shows: as it is told, or above the "etc" of its file, as in its images.
func fpmPrefix(argv []string, file string) string {
	if v := last(optionValues(argv, "-p", "--prefix")); v != "" {
		return v
	}
	if dir := path.Dir(file); path.Base(dir) == "etc" && dir != "/etc" {
		return path.Dir(dir)
	}
	return ""
}

// fpmPools are the sections of a file of PHP-FPM and of what it includes, the name of each at "".
func (d *dataFiles) fpmPools(file string, depth int, pools *[]map[string]string) error {
	text, err := d.text(file)
	if err != nil {
		return err
	}
	var in map[string]string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), ";")
		key, value, told := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.Trim(strings.TrimSpace(value), `"'`)
		switch {
		case strings.HasPrefix(line, "[") && !told:
			name := strings.Trim(line, "[] ")
			at := slices.IndexFunc(*pools, func(m map[string]string) bool { return m[""] == name })
			if at < 0 { // else what follows is of the same pool
				at = len(*pools)
				*pools = append(*pools, map[string]string{"": name})
			}
			if in = (*pools)[at]; len(*pools) > maxServices {
				return errManyFiles
			}
		case key == "include":
			if at := fpmPrefix(d.argv, file); !path.IsAbs(value) && at != "" {
				value = path.Join(at, value)
			}
			files, more := d.s.globIn(d.p, value)
			if more || depth > 4 || !path.IsAbs(value) {
				return fmt.Errorf("%s includes %s, which is not followed", file, value)
			}
			for _, f := range files {
				if err := d.fpmPools(f, depth+1, pools); err != nil {
					return err
				}
			}
		case told && in != nil:
			in[key] = value
		}
	}
	return nil
}

// pgbouncerAccess reads auth_type of PgBouncer's file: trust takes whoever names an account, any asks for no name either.
func pgbouncerAccess(d *dataFiles) access {
	file := ""
	for _, a := range d.argv[min(1, len(d.argv)):] {
		if !strings.HasPrefix(a, "-") {
			file = a
		}
	}
	text, err := d.text(file)
	if err != nil {
		return access{err: err}
	}
	auth, how := "md5", ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, _ := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(line, "%include"):
			return access{err: errors.New(file + " includes other files, which are not read")}
		case strings.TrimSpace(key) == "auth_type":
			auth, how = strings.TrimSpace(value), line
		}
	}
	switch auth {
	case "any", "trust":
		return access{login: dataNone, gives: "reads and writes its databases as the accounts that it knows", how: how}
	case "hba":
		return access{err: errors.New("auth_type is hba, and its file of hosts was not followed")}
	}
	return access{login: dataAsks}
}

// supervisorAccess reads [inet_http_server] of supervisord: without a username who comes starts and stops its programs, and writes to them.
func supervisorAccess(d *dataFiles) access {
	file := last(optionValues(d.argv, "-c", "--configuration"))
	for _, f := range []string{"/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"} {
		if file == "" && d.there(f) {
			file = f
		}
	}
	text, err := d.text(file)
	if err != nil {
		return access{err: err}
	}
	list := supervisorSections(text)
	for i := 0; i < len(list); i++ {
		s := list[i]
		if s[""] == "include" {
			for p := range strings.FieldsSeq(strings.ReplaceAll(s["files"], "%(here)s", path.Dir(file))) {
				if !path.IsAbs(p) {
					p = path.Join(path.Dir(file), p)
				}
				files, more := d.s.globIn(d.p, p)
				if more || strings.Contains(p, "%(") {
					return access{err: errManyFiles}
				}
				for _, f := range files {
					text, err := d.text(f)
					if err != nil {
						return access{err: err}
					}
					list = append(list, supervisorSections(text)...)
				}
			}
		}
		port := portAtEnd(s["port"])
		switch {
		case s[""] != "inet_http_server" || s["username"] != "":
		case port == 0:
			return access{err: errors.New("the port of its page is not known, and has no username")}
		default:
			return access{
				login: dataNone, ports: []int{port}, how: "[inet_http_server] has no username",
				gives: "starts and stops its programs, and writes to what they read",
			}
		}
	}
	return access{login: dataAsks}
}
