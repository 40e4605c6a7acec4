package reach

import (
	"slices"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// class is the queueing class of packets (skb->priority).
type class struct {
	n      uint32
	open   bool // not known
	served bool // one of those of types of service
}

// serviceClass is the queueing class by two bits of the type of service (ip_tos2prio).
var serviceClass = [4]uint32{0, 2, 6, 4}

// service is what rules have made of the type of service: they cleared bits of what was sent, then turned bits round.
type service struct{ cleared, turned byte }

// of is the type of service that comes of one that was sent.
func (s service) of(sent byte) byte { return sent&^s.cleared ^ s.turned }

// services are all that a sender may write, as the field has them.
func services(v4 bool) set {
	if v4 {
		return span(num(0), num(0xff))
	}
	return span(num(version6), num(version6|0xfff))
}

// version6 begins the header of IPv6; the class stands between that and the flow label, of which four bits are here.
const version6, flowBits = 0x6000, 4

// servicesThat are the numbers of the field by which something holds for the type of service that they have now.
func (c *cube) servicesThat(holds func(byte) bool) (s set) {
	for n := range uint64(256) {
		switch {
		case !holds(c.service.of(byte(n))):
		case c.v4:
			s = append(s, single(num(n))...)
		default:
			s = append(s, span(num(version6|n<<flowBits), num(version6|n<<flowBits|1<<flowBits-1))...)
		}
	}
	return s.normal()
}

// masks are the bytes of the field that are left of what was sent, and those that are turned round.
func (c *cube) masks() (left, turned []byte) {
	s := c.service
	if c.v4 {
		return []byte{^s.cleared}, []byte{s.turned}
	}
	return []byte{^(s.cleared >> 4), ^(s.cleared << 4)}, []byte{s.turned >> 4, s.turned << 4}
}

// loadService loads bytes of the field as they are now.
func (c *cube) loadService(off, n int) value {
	if c.tos {
		return unknown(n, "the type of service, which a rule changed")
	}
	v := c.load(fService, off, n)
	if c.service == (service{}) {
		return v
	}
	left, turned := c.masks()
	return v.bitwise(left[off:off+n], turned[off:off+n])
}

// writeService takes what a rule writes into bytes of the field. It reports false where that is not made of what was there.
func (c *cube) writeService(v *seg, at int) bool {
	cleared, turned := make([]byte, v.len()), make([]byte, v.len())
	switch {
	case v.why != "" || v.known != nil || v.data == nil && (v.f != fService || v.off != at || v.swap):
		return false
	case v.data != nil:
		for i := range cleared {
			cleared[i] = 0xff
		}
		copy(turned, v.data)
	case v.mask != nil:
		for i := range cleared {
			cleared[i], turned[i] = ^v.mask[i], v.xor[i]
		}
	}
	for i := range cleared {
		mask, left, right := byte(0xff), 0, 0 // which bits of the type of service the byte has, and where
		switch {
		case c.v4:
		case at+i == 0:
			if v.data != nil && v.data[i]>>4 != version6>>12 || v.data == nil && (cleared[i]|turned[i])&0xf0 != 0 {
				return false
			}
			mask, left = 0xf0, 4
		default:
			mask, right = 0x0f, 4
		}
		s := &c.service
		s.cleared = s.cleared&^mask | cleared[i]<<left>>right&mask
		s.turned = s.turned&^mask | turned[i]<<left>>right&mask
	}
	return true
}

// xtDSCP compares bits of the type of service.
func (c *cube) xtDSCP(x *ruleset.XtDSCP) (in, out []cube) {
	return c.split(fService, c.servicesThat(func(n byte) bool { return (n&x.Mask == x.Value) != x.Invert }))
}

// sentService is a type of service with which the packets were sent; nil where that may be the usual one, 0.
func (c *cube) sentService() *uint8 {
	s := c.sets[fService]
	if s.empty() {
		return nil
	}
	n := uint8(s[0].lo.lo)
	if !c.v4 {
		n = uint8(s[0].lo.lo >> flowBits)
	}
	if n == 0 {
		return nil
	}
	return &n
}

// unclassed are packets to which their process gave a class, or a VLAN.
func unclassed(in []cube) []cube {
	out := slices.Clone(in)
	for i := range out {
		out[i].class.open = true
	}
	return out
}

// givesClass says whether an interface, or a port of a bridge, can give packets a class by what their tag says (vlan_do_receive).
func givesClass(in *snapshot.Link, s *snapshot.Snapshot) bool {
	return in.Kind == "vlan" || slices.ContainsFunc(s.Network.Links, func(l snapshot.Link) bool { return l.Master == in.Index && l.Kind == "vlan" })
}

// forwarded gives packets of IPv4 the class of their type of service, which senders choose (ip_forward).
func (c *cube) forwarded() {
	if c.v4 {
		c.class = class{open: true, served: true}
		for i, n := range serviceClass {
			all := c.servicesThat(func(n byte) bool { return int(n>>3&3) == i })
			if !c.tos && c.sets[fService].subtract(all).empty() {
				c.class = class{n: n}
			}
		}
	}
}

// reclass is what targets of iptables write (classify_tg, dscp_tg, tos_tg).
func (c *cube) reclass(d *ruleset.XtDecoded) {
	switch {
	case d.Classify != nil:
		c.class = class{n: *d.Classify}
	case d.Service != nil:
		c.service = service{c.service.cleared | d.Service.Mask, d.Service.Of(c.service.turned)}
		c.tos = c.tos && d.Service.Mask != 0xff
	default:
		c.tos = true
	}
}
