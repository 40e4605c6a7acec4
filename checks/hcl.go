//go:build linux && !ringfence_portable

package checks

import (
	"strings"
)

// Bounds of a text of HCL.
const (
	maxHCLDepth  = 16
	maxHCLTokens = 100_000
)

// hclText is a text of HCL or JSON that is read token by token. Labels of blocks, and what expressions come to, are not kept.
type hclText struct {
	rest   string
	tokens int
	bad    bool
	object bool // it is in the braces around a text of JSON
	set    map[string][]string
}

// readHCL adds the settings of a text of HCL, or of JSON, by their names and those of the blocks around them: acl.enabled.
func readHCL(text string, set map[string][]string) error {
	h := &hclText{rest: text, set: set}
	h.body("", 0)
	if h.bad || strings.TrimSpace(h.rest) != "" {
		return errMalformed
	}
	return nil
}

// next is the next token, "" at the end; a text in quotes is no mark.
func (h *hclText) next() (token string, mark bool) {
	for {
		h.rest = strings.TrimLeft(h.rest, " \t\r\n\ufeff")
		switch {
		case strings.HasPrefix(h.rest, "#"), strings.HasPrefix(h.rest, "//"):
			_, h.rest, _ = strings.Cut(h.rest, "\n")
			continue
		case strings.HasPrefix(h.rest, "/*"):
			_, after, ended := strings.Cut(h.rest, "*/")
			h.rest, h.bad = after, h.bad || !ended
			continue
		}
		break
	}
	if h.tokens++; h.rest == "" || h.tokens > maxHCLTokens || strings.HasPrefix(h.rest, "<<") {
		h.bad = h.bad || h.rest != ""
		return "", true
	}
	if strings.IndexByte("{}[]=:,", h.rest[0]) >= 0 {
		token, h.rest = h.rest[:1], h.rest[1:]
		return token, true
	}
	if h.rest[0] == '"' {
		return h.quoted(), false
	}
	end := strings.IndexAny(h.rest, " \t\r\n{}[]=:,\"#")
	if end < 0 {
		end = len(h.rest)
	}
	token, h.rest = h.rest[:end], h.rest[end:]
	return token, false
}

// quoted is a text in quotes.
func (h *hclText) quoted() string {
	for i := 1; i < len(h.rest); i++ {
		switch h.rest[i] {
		case '\\':
			i++
		case '\n':
			h.bad = true
			return ""
		case '"':
			text := h.rest[1:i]
			h.rest = h.rest[i+1:]
			return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(text)
		}
	}
	h.bad, h.rest = true, ""
	return ""
}

// body reads settings and blocks up to the end of a block, or of the text.
func (h *hclText) body(at string, depth int) {
	for !h.bad && depth <= maxHCLDepth {
		name, mark := h.next()
		switch {
		case mark && name == ",":
			continue
		case mark && depth == 0 && (name == "{" && !h.object || name == "}" && h.object): // an object of JSON
			h.object = !h.object
			continue
		case mark && (name == "" && depth == 0 && !h.object || name == "}" && depth > 0):
			return
		case mark:
			h.bad = true
			return
		}
		key := strings.TrimPrefix(at+"."+name, ".")
		token, mark := h.next()
		for ; !mark; token, mark = h.next() { // labels
			if h.bad {
				return
			}
		}
		switch token {
		case "{":
			h.body(key, depth+1)
		case "=", ":":
			h.value(key, depth+1)
		default:
			h.bad = true
		}
	}
	h.bad = true
}

// value reads what a setting is, or each of what a list has.
func (h *hclText) value(key string, depth int) {
	token, mark := h.next()
	switch {
	case h.bad, depth > maxHCLDepth:
		h.bad = true
	case !mark:
		h.set[key] = append(h.set[key], token)
	case token == "{":
		h.body(key, depth)
	case token == "[":
		h.list(key, depth+1)
	default:
		h.bad = true
	}
}

// list reads the values of a list up to its end; an empty one is a setting too.
func (h *hclText) list(key string, depth int) {
	if h.set[key] == nil {
		h.set[key] = []string{}
	}
	for !h.bad {
		before := h.rest
		switch token, mark := h.next(); {
		case mark && token == ",":
		case mark && token == "]":
			return
		default:
			h.rest = before
			h.value(key, depth)
		}
	}
}
