//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// natsAccess reads the options of the server of NATS and its file: users, a token, keys, accounts or certificates that it asks for. Its listeners of
// WebSocket and MQTT have the same users, unless they say themselves who nobody is.
func natsAccess(d *dataFiles) access {
	for _, f := range []string{"user", "pass", "auth"} {
		if anyArgument(d.argv, "-"+f, "--"+f) {
			return access{login: dataAsks}
		}
	}
	c := natsFile{}
	if file := last(optionValues(d.argv, "-c", "--config", "-config")); file != "" {
		text, err := d.text(file)
		if err != nil {
			return access{err: err}
		}
		r := natsReader{text: text}
		if c = r.block(0); r.err != nil {
			return access{err: errors.New(file + " " + r.err.Error())}
		}
	}
	asks, how, err := c.asks()
	if err != nil {
		return access{err: err}
	}
	open := access{login: dataNone, gives: "reads and writes all messages", how: cmp.Or(how, "it is told of no user and no token")}
	if how == natsNobody {
		open.gives = "reads and writes the messages that one of its users may"
	}
	certs := hasFlag(d.argv, "--tlsverify") || hasFlag(d.argv, "-tlsverify") || c.verifies()
	lets := !asks && !certs
	if lets {
		listen := cmp.Or(natsText(c["listen"]), natsText(c["port"]))
		port := cmp.Or(last(optionValues(d.argv, "-p", "--port", "-port")), listen[strings.LastIndex(listen, ":")+1:], "4222")
		open.ports = natsPort(open.ports, port)
	}
	for _, name := range []string{"websocket", "mqtt"} {
		b, ok := c[name].(natsFile)
		nobody := natsText(b["no_auth_user"]) != ""
		if listen := cmp.Or(natsText(b["listen"]), natsText(b["port"])); ok && listen != "" && !b.verifies() && (nobody || !asks && b["authorization"] == nil) {
			if nobody && asks {
				open.how, open.gives = "no_auth_user of "+name, "reads and writes the messages that one of its users may"
			}
			lets, open.ports = true, natsPort(open.ports, listen[strings.LastIndex(listen, ":")+1:])
		}
	}
	if !lets {
		return access{login: dataAsks}
	}
	return open
}

func natsPort(list []int, port string) []int {
	if n, err := strconv.Atoi(port); err == nil && n > 0 {
		return append(list, n)
	}
	return list
}

const natsNobody = "no_auth_user"

// natsFile is a block of a file of NATS: texts, lists ([]any) and blocks, by names in small letters.
type natsFile map[string]any

// asks says whether the server asks for a name or a key, and by what it does not. Where the account of the system alone has users, everybody else is
// in the one for all, unless there is a block of authorization (configureAccounts of its server).
func (c natsFile) asks() (yes bool, how string, err error) {
	if natsText(c["no_auth_user"]) != "" {
		return false, natsNobody, nil
	}
	for _, k := range []string{"authorization", "accounts"} {
		if t := natsText(c[k]); t != "" {
			return false, "", errors.New(k + " is " + t + ", which is not followed")
		}
	}
	if c["operator"] != nil || c["operators"] != nil || c["trusted_keys"] != nil || c["trusted"] != nil {
		return true, "", nil
	}
	b, ruled := c["authorization"].(natsFile)
	for _, k := range []string{"user", "username", "token", "nkey", "users", "auth_callout"} {
		switch v := b[k].(type) {
		case string:
			yes = yes || v != ""
		case []any:
			yes = yes || len(v) > 0
		case natsFile:
			yes = true
		}
	}
	accounts, _ := c["accounts"].(natsFile)
	system := cmp.Or(natsText(c["system_account"]), natsText(c["system"]), "$SYS")
	for name, v := range accounts {
		a, _ := v.(natsFile)
		users, told := a["users"].([]any)
		alone := len(accounts) == 1 && strings.EqualFold(name, system) && !ruled
		switch {
		case alone:
			how = "the account of the system alone has users"
		case len(users) > 0 || a["users"] != nil && !told || a["nkey"] != nil:
			yes = true
		}
	}
	return yes, how, nil
}

// verifies says of a block that its TLS asks for certificates.
func (c natsFile) verifies() bool {
	t, _ := c["tls"].(natsFile)
	on := func(key string) bool {
		return slices.Contains([]string{"true", "yes", "on"}, strings.ToLower(natsText(t[key])))
	}
	return on("verify") || on("verify_and_map")
}

// natsText is a value that is a text.
func natsText(v any) string {
	s, _ := v.(string)
	return s
}

// natsReader takes a file of NATS apart, in which comments begin with # and // wherever no text stands.
type natsReader struct {
	text string
	at   int
	n    int
	err  error
}

// Bounds of what is taken of a file of NATS.
const (
	maxNatsValues = 16384
	maxNatsDepth  = 32
)

// skip goes to the next thing that is no blank, separator or comment.
func (r *natsReader) skip(separators string) bool {
	for ; r.at < len(r.text); r.at++ {
		if rest := r.text[r.at:]; rest[0] == '#' || strings.HasPrefix(rest, "//") {
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				r.at = len(r.text)
				return false
			}
			r.at += end
		} else if !strings.ContainsRune(separators, rune(rest[0])) {
			return true
		}
	}
	return false
}

// block reads keys and values up to the end of a block or of the file.
func (r *natsReader) block(depth int) natsFile {
	m := natsFile{}
	for r.err == nil && r.skip(" \t\r\n,;") {
		if r.text[r.at] == '}' {
			r.at++
			return m
		}
		key := strings.ToLower(r.word(" \t\r\n:={[\"'#"))
		if key == "include" {
			r.err = errors.New("includes other files, which are not read")
			return m
		}
		if r.skip(" \t\r\n:=") {
			m[key] = r.value(depth)
		}
	}
	return m
}

// list reads values up to the end of a list.
func (r *natsReader) list(depth int) []any {
	list := []any{}
	for r.err == nil && r.skip(" \t\r\n,") {
		if r.text[r.at] == ']' {
			r.at++
			break
		}
		list = append(list, r.value(depth))
	}
	return list
}

func (r *natsReader) value(depth int) any {
	if r.n++; r.n > maxNatsValues || depth > maxNatsDepth {
		r.err = errors.New("has more values, or deeper ones, than are read")
		return nil
	}
	switch r.text[r.at] {
	case '{':
		r.at++
		return r.block(depth + 1)
	case '[':
		r.at++
		return r.list(depth + 1)
	}
	return strings.TrimSpace(r.word("\r\n,;}]#"))
}

// word is a text in quotes, or what stands up to one of some characters; at least one character is taken.
func (r *natsReader) word(ends string) string {
	rest := r.text[r.at:]
	if q := rest[0]; q == '"' || q == '\'' {
		i := 1
		for i < len(rest) && rest[i] != q {
			if rest[i] == '\\' && q == '"' {
				i++
			}
			i++
		}
		r.at += min(i+1, len(rest))
		return rest[1:min(i, len(rest))]
	}
	end := strings.IndexAny(rest, ends)
	if end < 0 {
		end = len(rest)
	}
	if c := strings.Index(rest[:end], " //"); c > 0 {
		end = c
	}
	end = max(end, 1)
	r.at += end
	return rest[:end]
}
