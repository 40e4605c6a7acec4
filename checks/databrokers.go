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
	told             bool // it says itself whether it takes who gives no name
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
		if open && !l.certs && l.port > 0 {
			a.login, a.ports = dataNone, append(a.ports, l.port)
		}
	}
	return a
}

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
			c.per = l[1] == "true"
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
			at.anonymous, at.told = l[1] == "true", true
		case "require_certificate":
			at.certs = l[1] == "true"
		case "acl_file":
			c.acl = true
		case "plugin", "auth_plugin":
			return errors.New("a plugin decides who is let in")
		}
	}
	return nil
}

// natsAccess reads the options of the server of NATS and its file: users, a token, keys, accounts or certificates that it asks for.
func natsAccess(d *dataFiles) access {
	for _, f := range []string{"user", "pass", "auth"} {
		if anyArgument(d.argv, "-"+f, "--"+f) {
			return access{login: dataAsks}
		}
	}
	if hasFlag(d.argv, "--tlsverify") || hasFlag(d.argv, "-tlsverify") {
		return access{login: dataAsks}
	}
	a := access{login: dataNone, gives: "reads and writes all messages", how: "it is told of no user and no token"}
	port := cmp.Or(last(optionValues(d.argv, "-p", "--port", "-port")), "4222")
	file := last(optionValues(d.argv, "-c", "--config", "-config"))
	if file != "" {
		text, err := d.text(file)
		if err != nil {
			return access{err: err}
		}
		keys := natsKeys(text)
		for _, k := range keys {
			if k[0] == "include" {
				return access{err: errors.New(file + " includes other files, which are not read")}
			}
		}
		for _, k := range keys {
			switch k[0] {
			case "no_auth_user":
				return access{login: dataNone, gives: "reads and writes the messages that one of its users may", how: "no_auth_user"}
			case "port", "listen":
				if !anyArgument(d.argv, "-p", "--port", "-port") {
					port = k[1][strings.LastIndex(k[1], ":")+1:]
				}
			case "authorization", "accounts", "operator", "operators", "tls":
				a = natsBlock(k[0], k[1], a)
			}
		}
	}
	if n, err := strconv.Atoi(port); err == nil && n > 0 {
		a.ports = []int{n}
	}
	return a
}

// natsBlock is what a setting of NATS makes of who is let in.
func natsBlock(key, value string, a access) access {
	words := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t\n:=,{}[]\"'", r) })
	has := func(names ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(names, strings.ToLower(w)) })
	}
	switch {
	case key == "authorization" && has("user", "username", "pass", "password", "token", "users", "nkey", "auth_callout"),
		key == "accounts" && has("users"), strings.HasPrefix(key, "operator"), key == "tls" && has("verify", "verify_and_map") && !has("false", "no", "off"):
		return access{login: dataAsks}
	}
	return a
}

// natsKeys are the settings at the top of a file of NATS, each with its text, in which comments begin with # and //.
func natsKeys(text string) (list [][2]string) {
	var clean strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "//") {
			continue
		}
		if before, _, cut := strings.Cut(line, " #"); cut {
			line = before
		}
		clean.WriteString(line + "\n")
	}
	rest := clean.String()
	for len(list) < maxServices {
		rest = strings.TrimLeft(rest, " \t\n;,}]")
		end := strings.IndexAny(rest, " \t\n:={[")
		if end <= 0 {
			return list
		}
		key := strings.ToLower(strings.Trim(rest[:end], `"'`))
		rest = strings.TrimLeft(rest[end:], " \t:=")
		if rest == "" {
			return append(list, [2]string{key, ""})
		}
		end = blockEnd(rest)
		list = append(list, [2]string{key, strings.Trim(rest[:end], " \t\n;\"'")})
		rest = rest[end:]
	}
	return list
}

// blockEnd is where a value ends: at the end of its line, or of the block that begins it, which can stand on the next line.
func blockEnd(text string) int {
	start := len(text) - len(strings.TrimLeft(text, "\n"))
	if start < len(text) && !strings.ContainsRune("{[", rune(text[start])) {
		start = 0
	}
	depth, quote := 0, byte(0)
	for i := start; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth <= 0 {
				return i + 1
			}
		case depth == 0 && (c == '\n' || c == ';'):
			return i
		}
	}
	return len(text)
}

// rabbitAccess reads rabbitmq.conf and the files beside it. The account guest, with a password that everybody knows, comes from loopback alone unless
// it is told otherwise; then whether it is still there is in the database.
func rabbitAccess(d *dataFiles) access {
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
