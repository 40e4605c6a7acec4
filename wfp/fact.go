package wfp

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// Fact is what is known of one field of a connection.
type Fact struct {
	// Unknown is why the value is not known.
	Unknown string     `json:"unknown,omitempty"`
	Number  uint64     `json:"number,omitempty"`
	Addr    netip.Addr `json:"addr,omitzero"`
	Text    string     `json:"text,omitempty"`
	// Open are the bits of flags that are not known, and why.
	Open    uint64 `json:"open,omitempty"`
	OpenWhy string `json:"openWhy,omitempty"`
	// Ends is how the text ends of a value that is not known otherwise.
	Ends string `json:"ends,omitempty"`
	// SIDs are those of a token; More is why it may have others besides, of which none begin with Told. May are some that it may have in any case.
	SIDs []string `json:"sids,omitempty"`
	May  []string `json:"may,omitempty"`
	More string   `json:"more,omitempty"`
	Told string   `json:"told,omitempty"`
}

// Facts are what is known of a connection, but for who opens it. A field that is missing is not known.
type Facts map[Field]Fact

// truth says whether a condition holds.
type truth int8

const (
	no truth = iota
	maybe
	yes
)

func is(b bool) truth {
	if b {
		return yes
	}
	return no
}

func not(t truth) truth { return yes - t }

// holds says whether a condition holds of a fact, and why that is not known.
func (c *Condition) holds(f Fact, told bool) (truth, string) {
	switch {
	case c.Value.Kind == "":
		return maybe, "the condition on " + string(c.Field) + " was not read: " + c.Value.Unread
	case !told:
		return maybe, string(c.Field) + " of a packet is not part of the model"
	case f.Unknown != "":
		if c.Value.Kind == Text && (c.Match == Equal || c.Match == EqualFold) && !strings.HasSuffix(strings.ToLower(c.Value.Text), strings.ToLower(f.Ends)) {
			return no, ""
		}
		return maybe, f.Unknown
	}
	switch c.Value.Kind {
	case Number:
		return c.number(f)
	case Address:
		return c.address(f)
	case Text:
		return c.text(f.Text)
	case SDDL:
		return c.token(f)
	default:
		return maybe, "the condition on " + string(c.Field) + " has a value of an unknown kind"
	}
}

func (c *Condition) number(f Fact) (truth, string) {
	n, v := f.Number&^f.Open, c.Value.Lo
	switch c.Match {
	case Equal, NotEqual:
		t := is(n == v&^f.Open)
		if t == yes && f.Open != 0 {
			return maybe, f.OpenWhy
		}
		if c.Match == NotEqual {
			t = not(t)
		}
		return t, ""
	case AllSet:
		return flags(v&^f.Open&^n != 0, v&f.Open != 0, no, f.OpenWhy)
	case AnySet:
		return flags(n&v != 0, v&f.Open != 0, yes, f.OpenWhy)
	case NoneSet:
		return flags(n&v != 0, v&f.Open != 0, no, f.OpenWhy)
	default:
	}
	if f.Open != 0 {
		return maybe, f.OpenWhy
	}
	switch c.Match {
	case Greater:
		return is(n > v), ""
	case Less:
		return is(n < v), ""
	case GreaterOrEqual:
		return is(n >= v), ""
	case LessOrEqual:
		return is(n <= v), ""
	case InRange:
		return is(n >= v && n <= c.Value.Hi), ""
	default:
		return c.strange()
	}
}

// flags is the truth where known bits decide, or open ones could.
func flags(decided, open bool, then truth, why string) (truth, string) {
	switch {
	case decided:
		return then, ""
	case open:
		return maybe, why
	}
	return not(then), ""
}

func (c *Condition) strange() (truth, string) {
	return maybe, "the comparison " + string(c.Match) + " of " + string(c.Field) + " is not known"
}

func (c *Condition) address(f Fact) (truth, string) {
	v := c.Value
	if f.Addr.Is4() != v.From.Is4() || !f.Addr.IsValid() {
		return maybe, "the condition on " + string(c.Field) + " is about another family"
	}
	in := !f.Addr.Less(v.From) && !v.To.Less(f.Addr)
	switch c.Match {
	case Equal, InRange:
		return is(in), ""
	case NotEqual:
		return is(!in), ""
	case Greater:
		return is(v.From.Less(f.Addr)), ""
	case Less:
		return is(f.Addr.Less(v.From)), ""
	case GreaterOrEqual:
		return is(!f.Addr.Less(v.From)), ""
	case LessOrEqual:
		return is(!v.From.Less(f.Addr)), ""
	default:
		return c.strange()
	}
}

func (c *Condition) text(s string) (truth, string) {
	v := c.Value.Text
	switch c.Match {
	case Equal, EqualFold: // paths of programs are in lower case already
		return is(strings.EqualFold(s, v)), ""
	case NotEqual:
		return is(!strings.EqualFold(s, v)), ""
	case Prefix:
		return is(len(s) >= len(v) && strings.EqualFold(s[:len(v)], v)), ""
	case NotPrefix:
		return is(len(s) < len(v) || !strings.EqualFold(s[:len(v)], v)), ""
	default:
		return c.strange()
	}
}

// matchFilter is the right that a filter's security descriptor gives (fwptypes.h, FWP_ACTRL_MATCH_FILTER); SDDL writes the bit "CC".
const matchFilter = 1

// token says whether a security descriptor gives the token of the listener the right to match (MS-DTYP 2.5.3.2): the first entry
// that is about one of its SIDs decides.
func (c *Condition) token(f Fact) (truth, string) {
	entries, err := parseSDDL(c.Value.Text)
	if err != nil {
		return maybe, "the security descriptor of " + string(c.Field) + ": " + err.Error()
	}
	if c.Match != Equal && c.Match != NotEqual {
		return c.strange()
	}
	t, why := is(entries == nil), "" // no list lets everybody
	var may [2]bool                  // what entries in doubt would have decided
	for _, e := range entries {
		about := e.about(f)
		if e.mask&matchFilter == 0 || about == no {
			continue
		}
		result := 0
		if e.allow {
			result = 1
		}
		if about == yes && !e.conditional {
			t = is(e.allow)
			break
		}
		may[result], why = true, cmp.Or(f.More, "whether the token of the listener has "+e.sid+" is not known")
		if e.conditional {
			why = "an entry of the security descriptor has a condition"
		}
	}
	if t == yes && may[0] || t == no && may[1] {
		return maybe, why
	}
	if c.Match == NotEqual {
		t = not(t)
	}
	return t, ""
}

func (e *entry) about(f Fact) truth {
	if slices.Contains(f.SIDs, e.sid) {
		return yes
	}
	if slices.Contains(f.May, e.sid) || !strings.HasPrefix(e.sid, "S-") { // letters that stand for a group of the domain or the host
		return maybe
	}
	if f.More == "" || f.Told != "" && strings.HasPrefix(e.sid, f.Told) {
		return no
	}
	return maybe
}
