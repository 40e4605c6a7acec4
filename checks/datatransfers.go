//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// aria2Access reads the options of aria2c(1) that are about its interface, which its file has too. Without a secret everybody has it write files.
func aria2Access(d *dataFiles) access {
	set := map[string]string{"rpc-listen-port": "6800"}
	home := (&agentFiles{s: d.s, p: d.p, env: d.env}).home()
	file, need := argument(d.argv, "--conf-path"), true
	if file == "" {
		file, need = path.Join(cmp.Or(d.env["XDG_CONFIG_HOME"], path.Join(home, ".config")), "aria2/aria2.conf"), false
		if old := path.Join(home, ".aria2/aria2.conf"); d.there(old) {
			file = old
		}
	}
	if !slices.Contains(d.argv, "--no-conf") && !hasFlag(d.argv, "--no-conf") {
		text, err := d.text(file)
		if err != nil && (need || !gone(err)) {
			return access{err: err}
		}
		for line := range strings.Lines(text) {
			if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && key[:min(1, len(key))] != "#" {
				set[strings.TrimSpace(key)] = strings.TrimSpace(value)
			}
		}
	}
	for _, key := range []string{"rpc-listen-port", "rpc-secret", "rpc-user"} {
		set[key] = cmp.Or(argument(d.argv, "--"+key), set[key])
	}
	on := set["enable-rpc"] == "true"
	if hasFlag(d.argv, "--enable-rpc") || slices.Contains(d.argv, "--enable-rpc=false") {
		on = hasFlag(d.argv, "--enable-rpc")
	}
	a := access{login: dataAsks, ports: []int{atoiOr(set["rpc-listen-port"], 6800)}}
	if on && set["rpc-secret"] == "" && set["rpc-user"] == "" {
		a.login, a.how, a.gives = dataNone, "no rpc-secret is given", "has it download what they name, and writes that to files as its account"
	}
	return a
}

// there says of a file that it is there, or that this is not known.
func (d *dataFiles) there(file string) bool {
	_, err := d.text(file)
	return !gone(err)
}

// transmissionGetopt are the options of transmission-daemon(1).
var transmissionGetopt = getopt{valued: "abcegioumpwvxLPlrC", flags: "BdfhtTyYO", long: map[string]byte{
	"allowed": 'a', "auth": 't', "no-auth": 'T', "username": 'u', "password": 'v', "port": 'p', "config-dir": 'g', "foreground": 'f', "blocklist": 'b',
	"watch-dir": 'c', "incomplete-dir": 'i', "logfile": 'e', "pid-file": 'x', "download-dir": 'w', "peerport": 'P', "rpc-bind-address": 'r', "dump-settings": 'd',
}}

// transmissionAccess reads settings.json of Transmission and the options that count before it.
func transmissionAccess(d *dataFiles) access {
	letters, vals, _ := transmissionGetopt.read(d.argv)
	home := (&agentFiles{s: d.s, p: d.p, env: d.env}).home()
	usual := path.Join(cmp.Or(d.env["XDG_CONFIG_HOME"], path.Join(home, ".config")), "transmission-daemon")
	text, err := d.optional(path.Join(cmp.Or(last(vals['g']), d.env["TRANSMISSION_HOME"], usual), "settings.json"))
	set := map[string]any{}
	if text != "" && json.Unmarshal([]byte(text), &set) != nil {
		return access{err: fmt.Errorf("settings.json: %w", errMalformed)}
	}
	if err != nil && text == "" {
		return access{err: err}
	}
	told := func(key, usual string) string {
		if v, ok := set[key]; ok {
			return fmt.Sprint(v)
		}
		return usual
	}
	asks, listed, list := isYes(told("rpc-authentication-required", "no")), isYes(told("rpc-whitelist-enabled", "yes")), told("rpc-whitelist", "127.0.0.1,::1")
	if at := strings.LastIndexAny(letters, "tT"); at >= 0 {
		asks = letters[at] == 't'
	}
	if v := vals['a']; len(v) > 0 {
		listed, list = true, last(v)
	}
	a := access{login: dataAsks, ports: []int{atoiOr(cmp.Or(last(vals['p']), told("rpc-port", "9091")), 9091)}}
	switch {
	case asks && strings.ContainsAny(letters, "tT"):
		return a
	case err != nil: // it writes the file itself when it starts, so that whose word that is cannot be told
		return access{err: err, ports: a.ports}
	case asks || !isYes(told("rpc-enabled", "yes")):
		return a
	}
	a.gives, a.how = "adds and removes what it downloads, and writes files as its account", "rpc-authentication-required is off"
	if !listed {
		a.login = dataNone
		return a
	}
	for _, pattern := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(", ;", r) }) {
		v := dataSome
		switch {
		case strings.Contains(pattern, "*") && strings.Trim(pattern, "*.") == "":
			v = dataNone
		case onlyLoopback([]string{pattern}):
			v = dataLocal
		}
		a.login = openness[max(slices.Index(openness, a.login), slices.Index(openness, v))]
	}
	return a
}

// syncthingFile is what config.xml of Syncthing says of its page.
type syncthingFile struct {
	GUI struct {
		Address  string `xml:"address"`
		User     string `xml:"user"`
		Password string `xml:"password"`
		Mode     string `xml:"authMode"`
	} `xml:"gui"`
}

// syncthingAccess reads config.xml of Syncthing: without a name and a password its page is everybody's who reaches it.
func syncthingAccess(d *dataFiles) access {
	home := (&agentFiles{s: d.s, p: d.p, env: d.env}).home()
	dirs := optionValues(d.argv, "-home", "--home", "-config", "--config")
	if len(dirs) == 0 {
		state := path.Join(cmp.Or(d.env["XDG_STATE_HOME"], path.Join(home, ".local/state")), "syncthing")
		if dirs = []string{path.Join(cmp.Or(d.env["XDG_CONFIG_HOME"], path.Join(home, ".config")), "syncthing")}; !d.there(path.Join(dirs[0], "config.xml")) {
			dirs = []string{state}
		}
	}
	text, err := d.text(path.Join(cmp.Or(d.env["STHOMEDIR"], d.env["STCONFDIR"], last(dirs)), "config.xml"))
	if err != nil {
		return access{err: err}
	}
	var f syncthingFile
	if err := xml.Unmarshal([]byte(text), &f); err != nil {
		return access{err: fmt.Errorf("config.xml: %w", errMalformed)}
	}
	at := cmp.Or(last(optionValues(d.argv, "-gui-address", "--gui-address")), d.env["STGUIADDRESS"], f.GUI.Address)
	port, err := strconv.Atoi(strings.Trim(at[strings.LastIndexByte(at, ':')+1:], "/"))
	switch {
	case f.GUI.Mode == "ldap", f.GUI.User != "" && f.GUI.Password != "":
		return access{login: dataAsks}
	case err != nil:
		return access{err: errors.New("the port of its page is not known")}
	}
	return access{
		login: dataNone, ports: []int{port}, how: "its page has no user and password",
		gives: "reads and writes the files of its account, by folders that they add",
	}
}

// registryAccess reads the file of the registry of Docker: without auth, and without certificates of clients, everybody is let in.
func registryAccess(d *dataFiles) access {
	for name := range d.env {
		if strings.HasPrefix(name, "REGISTRY_AUTH") || strings.HasPrefix(name, "REGISTRY_HTTP_TLS") {
			return access{err: errors.New(name + " of its environment changes its file, which is not worked out")}
		}
	}
	at := slices.Index(d.argv, "serve")
	file := cmp.Or(d.env["REGISTRY_CONFIGURATION_PATH"], "/etc/docker/registry/config.yml")
	if at >= 0 && at+1 < len(d.argv) {
		file = d.argv[at+1]
	}
	if !path.IsAbs(file) {
		return access{err: fmt.Errorf("%s is no whole path", file)}
	}
	m, err := d.s.readYAML(d.p, file)
	if err != nil {
		return access{err: err}
	}
	addr := cmp.Or(d.env["REGISTRY_HTTP_ADDR"], fmt.Sprint(valueAt(m, "http", "addr")))
	port, err := strconv.Atoi(addr[strings.LastIndexByte(addr, ':')+1:])
	auth, _ := valueAt(m, "auth").(map[string]any)
	silly := len(auth) == 1 && auth["silly"] != nil // a login that takes everybody
	switch {
	case len(auth) > 0 && !silly && auth["none"] == nil, valueAt(m, "http", "tls", "clientcas") != nil:
		return access{login: dataAsks}
	case err != nil:
		return access{err: errors.New("its port is not known")}
	}
	a := access{login: dataNone, ports: []int{port}, how: "it has no auth", gives: "reads and writes the images that it keeps"}
	if fmt.Sprint(valueAt(m, "storage", "maintenance", "readonly", "enabled")) == "true" {
		a.gives = "reads the images that it keeps"
	}
	return a
}
