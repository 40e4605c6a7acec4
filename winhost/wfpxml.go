package winhost

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/ringfence/ringfence/registry"
	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of an export of the filter engine. Real ones have 4 MB and 1,500 filters; of hosts of many containers, ten times that.
const (
	// MaxState bounds the file, in bytes.
	MaxState      = 256 << 20
	maxFilters    = 60_000
	maxConditions = 600_000
	maxPerFilter  = 10_000
	maxFlags      = 100
)

// maxSDDL bounds a security descriptor. That of all services which the hardening is about has 20 KB.
const maxSDDL = 64 << 10

var errNoState = errors.New("it is no export of netsh wfp")

// keptLayer says of a layer that its filters are kept: where a connection that comes in is decided, or what it brings is looked at before.
func keptLayer(layer string) bool {
	for _, part := range []string{"ALE_AUTH_RECV_ACCEPT", "INBOUND_IPPACKET", "INBOUND_TRANSPORT", "ALE_AUTH_LISTEN", "ALE_RESOURCE_ASSIGNMENT", "INBOUND_MAC", "IPFORWARD", "INGRESS_VSWITCH"} {
		if strings.Contains(layer, part) {
			return true
		}
	}
	return false
}

// xml of netsh wfp show state and show filters.
type (
	xmlDisplay struct {
		Name        string `xml:"name"`
		Description string `xml:"description"`
	}
	xmlList struct {
		Items []string `xml:"item"`
	}
	xmlProvider struct {
		Key     string     `xml:"providerKey"`
		Display xmlDisplay `xml:"displayData"`
		Service string     `xml:"serviceName"`
	}
	xmlSublayer struct {
		Key      string     `xml:"subLayerKey"`
		Display  xmlDisplay `xml:"displayData"`
		Provider string     `xml:"providerKey"`
		Weight   string     `xml:"weight"`
	}
	xmlLayer struct {
		Key             string `xml:"layerKey"`
		DefaultSublayer string `xml:"defaultSubLayerKey"`
		ID              string `xml:"layerId"`
	}
	xmlCallout struct {
		Key      string     `xml:"calloutKey"`
		Display  xmlDisplay `xml:"displayData"`
		Flags    xmlList    `xml:"flags"`
		Provider string     `xml:"providerKey"`
		Layer    string     `xml:"applicableLayer"`
		ID       string     `xml:"calloutId"`
	}
	xmlBlob struct {
		Data string `xml:"data"`
		Text string `xml:"asString"`
	}
	xmlValue struct {
		Type    string  `xml:"type"`
		Uint8   string  `xml:"uint8"`
		Uint16  string  `xml:"uint16"`
		Uint32  string  `xml:"uint32"`
		Uint64  string  `xml:"uint64"`
		Bytes16 string  `xml:"byteArray16"`
		SID     string  `xml:"sid"`
		SDDL    string  `xml:"sd"`
		Text    string  `xml:"unicodeString"`
		Blob    xmlBlob `xml:"byteBlob"`
		V4      struct {
			Addr string `xml:"addr"`
			Mask string `xml:"mask"`
		} `xml:"v4AddrMask"`
		V6 struct {
			Addr string `xml:"addr"`
			Bits string `xml:"prefixLength"`
		} `xml:"v6AddrMask"`
	}
	xmlCondition struct {
		Field string `xml:"fieldKey"`
		Match string `xml:"matchType"`
		Value struct {
			xmlValue
			Range *struct {
				Low  xmlValue `xml:"valueLow"`
				High xmlValue `xml:"valueHigh"`
			} `xml:"rangeValue"`
		} `xml:"conditionValue"`
	}
	xmlFilter struct {
		Key        string         `xml:"filterKey"`
		Display    xmlDisplay     `xml:"displayData"`
		Flags      xmlList        `xml:"flags"`
		Provider   string         `xml:"providerKey"`
		Data       xmlBlob        `xml:"providerData"`
		Layer      string         `xml:"layerKey"`
		Sublayer   string         `xml:"subLayerKey"`
		Weight     xmlValue       `xml:"weight"`
		Conditions []xmlCondition `xml:"filterCondition>item"`
		Action     struct {
			Type    string `xml:"type"`
			Callout string `xml:"calloutKey"`
			Filter  string `xml:"filterType"`
		} `xml:"action"`
		ID        string   `xml:"filterId"`
		Effective xmlValue `xml:"effectiveWeight"`
	}
)

// stateReader reads an export element by element, and keeps what it knows.
type stateReader struct {
	d          *xml.Decoder
	out        *snapshot.WindowsFilters
	conditions int
	seen       bool // an element of such an export
}

// ReadState reads what "netsh wfp show state" or "netsh wfp show filters" wrote. Of a file with several roots the first counts.
func ReadState(b []byte) (*snapshot.WindowsFilters, error) {
	if len(b) > MaxState {
		return nil, fmt.Errorf("filters: %w", registry.ErrTooMuch)
	}
	text, err := registry.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("filters: %w", err)
	}
	x := &stateReader{d: xml.NewDecoder(strings.NewReader(text)), out: &snapshot.WindowsFilters{Skipped: map[string]int{}}}
	x.d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // it was decoded
	if err := x.read(); err != nil && !x.seen && !errors.Is(err, errNoState) {
		return nil, fmt.Errorf("filters: %w: %w", errNoState, err)
	} else if err != nil {
		return nil, fmt.Errorf("filters: %w", err)
	}
	if !x.seen {
		return nil, fmt.Errorf("filters: %w", errNoState)
	}
	return x.out, nil
}

// maxNesting is the most elements in one another.
const maxNesting = 64

// read goes through the first root element.
func (x *stateReader) read() error {
	depth := 0
	for {
		t, err := x.d.Token()
		if errors.Is(err, io.EOF) && depth == 0 && x.seen {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			took, err := x.element(&t)
			if err != nil {
				return err
			}
			if !took {
				if depth++; depth > maxNesting {
					return fmt.Errorf("%w: more than %d elements in one another", errNoState, maxNesting)
				}
			}
		case xml.EndElement:
			if depth--; depth == 0 {
				return nil
			}
		default:
		}
	}
}

// element takes a list of an export; of all else what is inside is looked at next.
func (x *stateReader) element(t *xml.StartElement) (took bool, err error) {
	switch t.Name.Local {
	case "providers":
		return true, each(x, t, func(p *xmlProvider) error {
			if p.Key != "" {
				x.out.Providers = append(x.out.Providers, snapshot.WFPProvider{Key: key(p.Key), Name: clip(p.Display.Name), Service: clip(p.Service)})
			}
			return x.bound(len(x.out.Providers))
		})
	case "subLayers":
		return true, each(x, t, func(p *xmlSublayer) error {
			w, err := strconv.ParseUint(strings.TrimSpace(p.Weight), 10, 16)
			if err != nil {
				return fmt.Errorf("sublayer %.60q: weight %.20q", p.Key, p.Weight)
			}
			x.out.Sublayers = append(x.out.Sublayers, snapshot.WFPSublayer{Key: key(p.Key), Name: clip(p.Display.Name), Provider: key(p.Provider), Weight: uint16(w)})
			return x.bound(len(x.out.Sublayers))
		})
	case "layer":
		x.seen = true
		var l xmlLayer
		if err := x.d.DecodeElement(&l, t); err != nil {
			return true, err
		}
		id, _ := strconv.Atoi(strings.TrimSpace(l.ID))
		x.out.Layers = append(x.out.Layers, snapshot.WFPLayer{Key: key(l.Key), ID: id, DefaultSublayer: key(l.DefaultSublayer)})
		return true, x.bound(len(x.out.Layers))
	case "callouts":
		return true, each(x, t, func(c *xmlCallout) error {
			if len(c.Flags.Items) > maxFlags {
				return registry.ErrTooMuch
			}
			id, _ := strconv.ParseUint(strings.TrimSpace(c.ID), 10, 32)
			x.out.Callouts = append(x.out.Callouts, snapshot.WFPCallout{
				Key: key(c.Key), Name: clip(c.Display.Name), Provider: key(c.Provider), Layer: key(c.Layer), ID: uint32(id), Flags: c.Flags.Items,
			})
			return x.bound(len(x.out.Callouts))
		})
	case "filters":
		return true, each(x, t, x.filter)
	}
	return false, nil
}

func (x *stateReader) bound(n int) error {
	if n > maxFilters {
		return registry.ErrTooMuch
	}
	return nil
}

// each decodes the items of a list.
func each[T any](x *stateReader, list *xml.StartElement, take func(*T) error) error {
	x.seen = true
	for {
		t, err := x.d.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.EndElement:
			if t.Name.Local == list.Name.Local {
				return nil
			}
		case xml.StartElement:
			if t.Name.Local != "item" {
				if err := x.d.Skip(); err != nil {
					return err
				}
				continue
			}
			v := new(T)
			if err := x.d.DecodeElement(v, &t); err != nil {
				return err
			}
			if err := take(v); err != nil {
				return err
			}
		default:
		}
	}
}

// key is the name of a constant, or an id in lower case.
func key(s string) string {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "{") {
		return strings.ToLower(s)
	}
	return clip(s)
}

// clip bounds a text that is kept.
func clip(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 2000 {
		s = strings.ToValidUTF8(s[:2000], "") + "…"
	}
	return s
}

func (x *stateReader) filter(f *xmlFilter) error {
	layer := key(f.Layer)
	if !keptLayer(layer) {
		x.out.Skipped[layer]++
		return x.bound(len(x.out.Skipped))
	}
	id, err := strconv.ParseUint(strings.TrimSpace(f.ID), 10, 64)
	if err != nil {
		return fmt.Errorf("a filter without an id: %.40q", f.ID)
	}
	out := snapshot.WFPFilter{
		ID: id, Key: key(f.Key), Name: clip(f.Display.Name), Description: clip(f.Display.Description), Provider: key(f.Provider), Layer: layer, Sublayer: key(f.Sublayer),
		Action: strings.TrimSpace(f.Action.Type), WeightType: strings.TrimSpace(f.Weight.Type), Flags: f.Flags.Items,
	}
	if strings.Contains(out.Action, "CALLOUT") {
		out.Callout = key(f.Action.Callout)
		if out.Callout == "" {
			out.Callout = key(f.Action.Filter)
		}
	}
	if n, ok := f.Weight.number(); ok {
		out.Weight = n
	}
	n, ok := f.Effective.number()
	out.EffectiveWeight, out.EffectiveUnread = n, !ok
	if len(f.Flags.Items) > maxFlags {
		return registry.ErrTooMuch
	}
	if x.conditions += len(f.Conditions); x.conditions > maxConditions || len(f.Conditions) > maxPerFilter {
		return registry.ErrTooMuch
	}
	for i := range f.Conditions {
		out.Conditions = append(out.Conditions, condition(&f.Conditions[i]))
	}
	slices.Sort(out.Flags)
	x.out.Filters = append(x.out.Filters, out)
	return x.bound(len(x.out.Filters))
}

// number is a number of any size; an address is none.
func (v *xmlValue) number() (uint64, bool) {
	for _, t := range []struct {
		typ, text string
		bits      int
	}{{"FWP_UINT8", v.Uint8, 8}, {"FWP_UINT16", v.Uint16, 16}, {"FWP_UINT32", v.Uint32, 32}, {"FWP_UINT64", v.Uint64, 64}} {
		if strings.TrimSpace(v.Type) == t.typ {
			if n, err := strconv.ParseUint(strings.TrimSpace(t.text), 0, t.bits); err == nil {
				return n, true
			}
			return flagsOf(t.text)
		}
	}
	return 0, false
}

// address is a value that is one: IPv4 as a number of 32 bits that is written with dots, IPv6 as 16 bytes.
func (v *xmlValue) address(field string) (netip.Addr, bool) {
	switch strings.TrimSpace(v.Type) {
	case "FWP_UINT32":
		if a, err := netip.ParseAddr(strings.TrimSpace(v.Uint32)); err == nil && a.Is4() {
			return a, true
		}
		n, err := strconv.ParseUint(strings.TrimSpace(v.Uint32), 0, 32)
		if err == nil && strings.HasSuffix(field, "_ADDRESS") {
			return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), true
		}
	case "FWP_BYTE_ARRAY16_TYPE":
		if a, err := netip.ParseAddr(strings.TrimSpace(v.Bytes16)); err == nil {
			return netip.AddrFrom16(a.As16()), true
		}
		if b, err := hex.DecodeString(strings.TrimSpace(v.Bytes16)); err == nil && len(b) == 16 {
			return netip.AddrFrom16([16]byte(b)), true
		}
	default:
	}
	return netip.Addr{}, false
}

// condition reads one; what is not understood is kept as it is.
func condition(c *xmlCondition) snapshot.WFPCondition {
	out := snapshot.WFPCondition{Field: strings.TrimSpace(c.Field), Match: strings.TrimSpace(c.Match), Type: strings.TrimSpace(c.Value.Type)}
	low, high := &c.Value.xmlValue, &c.Value.xmlValue
	if c.Value.Range != nil {
		low, high = &c.Value.Range.Low, &c.Value.Range.High
		out.Type = strings.TrimSpace(low.Type)
	}
	if a, ok := low.address(out.Field); ok {
		if b, ok := high.address(out.Field); ok && b.Is4() == a.Is4() && !b.Less(a) {
			out.Kind, out.First, out.Last = snapshot.WFPAddress, a.String(), b.String()
			return out
		}
	}
	if n, ok := low.number(); ok {
		if m, ok := high.number(); ok && m >= n {
			out.Kind, out.Low, out.High = snapshot.WFPNumber, n, m
			return out
		}
	}
	if p, ok := low.prefix(); ok && c.Value.Range == nil {
		out.Kind, out.First, out.Last = snapshot.WFPAddress, p.Masked().Addr().String(), lastOf(p).String()
		return out
	}
	if c.Value.Range != nil { // of something that has no order
		out.Kind, out.Text = snapshot.WFPOther, clip(out.Type+" range")
		return out
	}
	out.Kind, out.Text = low.other()
	return out
}

// prefix is an address with a mask of which the ones come first.
func (v *xmlValue) prefix() (netip.Prefix, bool) {
	switch strings.TrimSpace(v.Type) {
	case "FWP_V4_ADDR_MASK":
		a, err := netip.ParseAddr(strings.TrimSpace(v.V4.Addr))
		m, err2 := netip.ParseAddr(strings.TrimSpace(v.V4.Mask))
		if err != nil || err2 != nil || !a.Is4() || !m.Is4() {
			return netip.Prefix{}, false
		}
		b := m.As4()
		mask := binary.BigEndian.Uint32(b[:])
		ones := bits.LeadingZeros32(^mask)
		if mask<<ones != 0 && ones < 32 {
			return netip.Prefix{}, false
		}
		return netip.PrefixFrom(a, ones), true
	case "FWP_V6_ADDR_MASK":
		a, err := netip.ParseAddr(strings.TrimSpace(v.V6.Addr))
		n, err2 := strconv.Atoi(strings.TrimSpace(v.V6.Bits))
		if err != nil || err2 != nil || !a.Is6() || n < 0 || n > 128 {
			return netip.Prefix{}, false
		}
		return netip.PrefixFrom(a, n), true
	default:
		return netip.Prefix{}, false
	}
}

// lastOf is the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// other is a value that is no number and no address.
func (v *xmlValue) other() (snapshot.WFPValueKind, string) {
	switch strings.TrimSpace(v.Type) {
	case "FWP_BYTE_BLOB_TYPE":
		b, err := hex.DecodeString(strings.TrimSpace(v.Blob.Data))
		if err != nil {
			return snapshot.WFPOther, clip(v.Blob.Data)
		}
		blob := registry.Value{Type: registry.SZ, Data: bytes.TrimSuffix(b, []byte{0, 0})}
		if text, ok := blob.Text(); ok && 2*len(utf16.Encode([]rune(text))) == len(blob.Data) && text != "" && strings.IndexFunc(text, unprintable) < 0 {
			return snapshot.WFPText, clip(text)
		}
		return snapshot.WFPBytes, clip(hex.EncodeToString(b))
	case "FWP_SECURITY_DESCRIPTOR_TYPE":
		text := strings.TrimSpace(v.SDDL) // whole: of a part the entries that decide may be missing
		if len(text) > maxSDDL {
			return snapshot.WFPOther, "a security descriptor of more than is looked at"
		}
		return snapshot.WFPSDDL, text
	case "FWP_SID":
		return snapshot.WFPSID, clip(v.SID)
	case "FWP_UNICODE_STRING_TYPE":
		return snapshot.WFPText, clip(v.Text)
	default:
		return snapshot.WFPOther, clip(cmp.Or(v.Uint64, v.Uint32, v.Uint16, v.Uint8, v.Bytes16, v.SDDL, v.SID, v.Text))
	}
}

func unprintable(r rune) bool { return !unicode.IsGraphic(r) || r == unicode.ReplacementChar }

// flagNames are the flags of FWPM_CONDITION_FLAGS by name (fwpmtypes.h), which some exports write instead of the number.
var flagNames = map[string]uint64{
	"IS_LOOPBACK": 0x1, "IS_IPSEC_SECURED": 0x2, "IS_REAUTHORIZE": 0x4, "IS_WILDCARD_BIND": 0x8, "IS_RAW_ENDPOINT": 0x10, "IS_FRAGMENT": 0x20,
	"IS_FRAGMENT_GROUP": 0x40, "IS_IPSEC_NATT_RECLASSIFY": 0x80, "REQUIRES_ALE_CLASSIFY": 0x100, "IS_IMPLICIT_BIND": 0x200, "IS_REASSEMBLED": 0x400,
	"IS_NAME_APP_SPECIFIED": 0x4000, "IS_PROMISCUOUS": 0x8000, "IS_AUTH_FW": 0x10000, "IS_RECLASSIFY": 0x20000, "IS_OUTBOUND_PASS_THRU": 0x40000,
	"IS_INBOUND_PASS_THRU": 0x80000, "IS_CONNECTION_REDIRECTED": 0x100000, "IS_PROXY_CONNECTION": 0x200000, "IS_APPCONTAINER_LOOPBACK": 0x400000,
	"IS_NON_APPCONTAINER_LOOPBACK": 0x800000, "IS_RESERVED": 0x1000000, "IS_HONORING_POLICY_AUTHORIZE": 0x2000000,
}

// flagsOf is a number, or names of flags with bars between them.
func flagsOf(text string) (uint64, bool) {
	var n uint64
	for name := range strings.SplitSeq(text, "|") {
		f, ok := flagNames[strings.TrimPrefix(strings.TrimSpace(name), "FWP_CONDITION_FLAG_")]
		if !ok {
			return 0, false
		}
		n |= f
	}
	return n, true
}
