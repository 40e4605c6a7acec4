//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
)

// mosquittoListener is a listener of Mosquitto and what it asks.
type mosquittoListener struct {
	port             int
	anonymous, certs bool
	cert, key, psk   bool // it has TLS, by a certificate with its key or by shared keys
	told             bool // it says itself whether it takes who gives no name
}

// asks says of a listener that TLS keeps out who has no certificate or key of its own. Without TLS there is nobody to ask for one.
func (l *mosquittoListener) asks() bool {
	if l.cert && l.key {
		return l.certs
	}
	return l.psk
}

// mosquittoConfig is what mosquitto.conf(5) says of who is let in.
type mosquittoConfig struct {
	listeners []mosquittoListener
	per       bool // each listener has settings of its own
	all       mosquittoListener
	acl       bool
}

// mosquittoAccess reads the file of Mosquitto and what it includes. Since version 2 it takes who gives no name only if it is told to, or if it has no
// listener but its own on loopback.
func mosquittoAccess(d *dataFiles) access {
	file := last(optionValues(d.argv, "-c", "--config-file"))
	if file == "" {
		return access{login: dataLocal, gives: mosquittoGives, how: "it is given no file, and listens on loopback alone"}
	}
	var c mosquittoConfig
	if err := c.read(d, file, 0); err != nil {
		return access{err: err}
	}
	a := access{login: dataAsks, gives: mosquittoGives, how: "allow_anonymous true"}
	if c.acl {
		a.gives = "reads and writes what its access list has for those without a name"
	}
	if len(c.listeners) == 0 && !c.all.told {
		return access{login: dataLocal, gives: a.gives, how: "no listener is told, and it listens on loopback alone"}
	}
	for _, l := range append(c.listeners, c.all) {
		open := c.all.anonymous
		if c.per && l.told {
			open = l.anonymous
		} else if c.per && l.port != c.all.port {
			open = false
		}
		if open && !l.asks() && l.port > 0 {
			a.login, a.ports = dataNone, append(a.ports, l.port)
		}
	}
	return a
}

// mosquittoOn says of a setting whether it is on.
func mosquittoOn(value string) bool { return value == "true" || value == "1" }

const mosquittoGives = "reads and writes all messages"

func (c *mosquittoConfig) read(d *dataFiles, file string, depth int) error {
	text, err := d.text(file)
	if err != nil {
		return err
	}
	for _, l := range keyLines(text) {
		at := &c.all
		if len(c.listeners) > 0 {
			at = &c.listeners[len(c.listeners)-1]
		}
		switch l[0] {
		case "include_dir":
			if depth > 0 || !path.IsAbs(l[1]) {
				return errors.New(file + " includes more than is read")
			}
			files, more := d.s.globIn(d.p, path.Join(l[1], "*.conf"))
			if more {
				return errManyFiles
			}
			for _, f := range files {
				if err := c.read(d, f, depth+1); err != nil {
					return err
				}
			}
		case "per_listener_settings":
			c.per = mosquittoOn(l[1])
		case "listener":
			port, _, _ := strings.Cut(l[1], " ")
			n, err := strconv.Atoi(port)
			if err != nil || len(c.listeners) >= maxServices {
				return errors.New(file + " has a listener that is not known")
			}
			c.listeners = append(c.listeners, mosquittoListener{port: n})
		case "port", "bind_address":
			n, _ := strconv.Atoi(l[1])
			c.all.port = cmp.Or(map[bool]int{true: n}[l[0] == "port"], c.all.port, 1883)
			c.all.told = true
		case "allow_anonymous":
			if !c.per {
				at = &c.all
			}
			at.anonymous, at.told = mosquittoOn(l[1]), true
		case "require_certificate":
			at.certs = mosquittoOn(l[1])
		case "certfile":
			at.cert = l[1] != ""
		case "keyfile":
			at.key = l[1] != ""
		case "psk_hint":
			at.psk = true
		case "clientid_prefixes":
			return errors.New("clientid_prefixes decides who is let in")
		case "acl_file":
			c.acl = true
		case "plugin", "auth_plugin":
			return errors.New("a plugin decides who is let in")
		}
	}
	return nil
}

// rabbitAccess reads rabbitmq.conf and the files beside it. The account guest, with a password that everybody knows, comes from loopback alone unless
// it is told otherwise; then whether it is still there is in the database.
func rabbitAccess(d *dataFiles) access {
	if slices.Contains(d.argv, "couch") {
		return access{err: errors.New("it is CouchDB, whose configuration is not read")}
	}
	if !slices.Contains(d.argv, "rabbit") {
		return access{err: errors.New("it is a program of Erlang that is not known")}
	}
	env, err := d.optional(cmp.Or(d.env["RABBITMQ_CONF_ENV_FILE"], "/etc/rabbitmq/rabbitmq-env.conf"))
	for line := range strings.Lines(env) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") && strings.Contains(line, "CONFIG") {
			err = errors.New("the file of its environment names files of settings, which are not read")
		}
	}
	if err != nil {
		return access{err: err}
	}
	file := strings.TrimSuffix(cmp.Or(d.env["RABBITMQ_CONFIG_FILE"], "/etc/rabbitmq/rabbitmq"), ".conf") + ".conf"
	more := cmp.Or(d.env["RABBITMQ_CONFIG_FILES"], path.Join(path.Dir(file), "conf.d"))
	if !strings.Contains(more, "*") {
		more = path.Join(more, "*.conf")
	}
	files, cut := d.s.globIn(d.p, more)
	if cut {
		return access{err: errManyFiles}
	}
	everywhere := slices.Contains(d.argv, "loopback_users")
	for _, f := range append([]string{file}, files...) {
		text, err := d.optional(f)
		if err != nil {
			return access{err: err}
		}
		for _, l := range keyLines(strings.ReplaceAll(text, "=", " ")) {
			everywhere = everywhere || l[0] == "loopback_users" && l[1] == "none" || strings.HasPrefix(l[0], "loopback_users.") && l[1] == "false"
		}
	}
	advanced := strings.TrimSuffix(cmp.Or(d.env["RABBITMQ_ADVANCED_CONFIG_FILE"], path.Join(path.Dir(file), "advanced")), ".config") + ".config"
	text, err := d.optional(advanced)
	if err != nil {
		return access{err: err}
	}
	if everywhere || strings.Contains(text, "loopback_users") {
		return access{err: errors.New("guest may come from everywhere, and whether it still has its first password is in its database")}
	}
	return access{login: dataAsks}
}
