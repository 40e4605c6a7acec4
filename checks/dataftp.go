//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"path"
	"slices"
	"strings"
)

// What a server of FTP says of how somebody logs in, as the setting how: logins of accounts that are not encrypted, or that are.
const (
	ftpClear = "logins of accounts without TLS"
	ftpTLS   = "logins of accounts by TLS alone"
	ftpAnon  = "no accounts"
)

// vsftpdAccess reads the files and the options of vsftpd(8), with the defaults of its code (vsftpd.conf(5)).
func vsftpdAccess(d *dataFiles) access {
	set := map[string]string{"anonymous_enable": "YES", "force_local_logins_ssl": "YES"}
	files := []string{"/etc/vsftpd.conf"}
	var options, named []string
	for i := 1; i < len(d.argv); i++ {
		a := d.argv[i]
		switch {
		case a == "-o" && i+1 < len(d.argv):
			i++
			options = append(options, d.argv[i])
		case strings.HasPrefix(a, "-o"):
			options = append(options, a[2:])
		case !strings.HasPrefix(a, "-"):
			named = append(named, a)
		}
	}
	if len(named) > 0 {
		files = named
	}
	var lines []string
	for _, f := range files {
		text, err := d.text(f)
		if err != nil {
			return access{err: err}
		}
		lines = append(lines, strings.Split(text, "\n")...)
	}
	for _, line := range append(lines, options...) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			set[key] = value
		}
	}
	on := func(key string) bool { return isYes(set[key]) }
	a := access{login: dataAsks, how: ftpAnon}
	if on("local_enable") {
		a.how = ftpClear
		if on("ssl_enable") && on("force_local_logins_ssl") {
			a.how = ftpTLS
		}
	}
	if on("anonymous_enable") {
		a.login, a.gives = dataNone, "reads the files of its anonymous account"
		if on("write_enable") && (on("anon_upload_enable") || on("anon_mkdir_write_enable") || on("anon_other_write_enable")) {
			a.gives = "reads and writes the files of its anonymous account"
		}
	}
	return a
}

// proftpdAccess reads proftpd.conf and what it includes: TLSRequired, and a block Anonymous.
func proftpdAccess(d *dataFiles) access {
	files := []string{cmp.Or(last(optionValues(d.argv, "-c", "--config")), "/etc/proftpd/proftpd.conf")}
	if len(d.argv) < 2 && (d.argv[0] == "" || strings.Contains(d.argv[0], ":")) { // its title
		if argv := d.startedWith("proftpd"); argv != nil {
			files = []string{cmp.Or(last(optionValues(argv, "-c", "--config")), "/etc/proftpd/proftpd.conf")}
		} else {
			return access{err: errTitle}
		}
	}
	a, engine, required := access{login: dataAsks}, false, false
	for i := 0; i < len(files); i++ {
		text, err := d.text(files[i])
		if err != nil {
			return access{err: err}
		}
		for _, l := range keyLines(text) {
			switch strings.ToLower(l[0]) {
			case "include":
				list, more := d.s.globIn(d.p, l[1])
				if st, err := d.s.statIn(d.p, l[1]); err == nil && st.Mode.IsDir() {
					list, more = d.s.globIn(d.p, path.Join(l[1], "*"))
				}
				if files = append(files, list...); more {
					return access{err: errManyFiles}
				}
			case "tlsengine":
				engine = isYes(l[1])
			case "tlsrequired":
				required = slices.Contains([]string{"on", "ctrl", "auth", "auth+data", "ctrl+data"}, strings.ToLower(l[1]))
			case "<anonymous":
				a.login, a.gives = dataNone, "reads the files of "+strings.Trim(l[1], "> ")
			}
		}
	}
	a.how = map[bool]string{true: ftpTLS, false: ftpClear}[engine && required]
	return a
}

// pureftpdAccess reads the options of pure-ftpd(8): -Y 2 asks for TLS, -e takes the anonymous account alone and -E no such.
func pureftpdAccess(d *dataFiles) access {
	argv := d.argv
	if argv[0] == "" || strings.HasPrefix(argv[0], "pure-ftpd (") { // its title
		if argv = d.startedWith("pure-ftpd"); argv == nil {
			return access{err: errTitle}
		}
	}
	if len(argv) > 1 && path.IsAbs(argv[1]) {
		return access{err: errors.New("its options are in a file, which is not read")}
	}
	a := access{login: dataNone, gives: "reads the files of its anonymous account", how: ftpClear}
	if v := cmp.Or(last(optionValues(argv, "-Y", "--tls")), "0"); v == "2" || v == "3" {
		a.how = ftpTLS
	}
	if slices.Contains(argv, "-e") || slices.Contains(argv, "--anonymousonly") {
		a.how = ftpAnon
	}
	if slices.Contains(argv, "-E") || slices.Contains(argv, "--noanonymous") {
		a.login, a.gives = dataAsks, ""
	}
	return a
}
