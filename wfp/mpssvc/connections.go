package mpssvc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp"
)

// parseConnection reads a rule of connection security (MS-GPFAS 2.2.6.2). It reports false of one that stops nobody: that is off, exempts, or asks
// for IPsec and does without (MS-FASP 2.2.52). What is not understood is left out: the rule then is about more, and nothing it is about is known.
func parseConnection(store snapshot.FirewallStoreName, id, text string) (*Rule, bool) {
	r := &Rule{Store: store, ID: id, Protocol: anyProtocol, Inbound: true}
	if len(text) > maxRule {
		return r, true
	}
	for f := range strings.SplitSeq(text, "|") {
		key, value, _ := strings.Cut(f, "=")
		switch key = strings.ToLower(key); {
		case key == "action":
			r.Action = strings.ToLower(value)
		case key == "active":
			r.Active = strings.EqualFold(value, "true")
		case key == "profile":
			if p := snapshot.WindowsProfile(strings.ToLower(value)); slices.Contains(profiles, p) {
				r.Profiles = append(r.Profiles, p)
			}
		case key == "protocol":
			if n, err := strconv.Atoi(value); err == nil {
				r.Protocol = n
			}
		case key == "if":
			r.Interfaces = append(r.Interfaces, strings.ToLower(value))
		case key == "iftype":
			r.InterfaceTypes = append(r.InterfaceTypes, strings.ToLower(value))
		case strings.HasPrefix(key, "ep1port"):
			r.Local.add(value)
		case strings.HasPrefix(key, "ep2port"):
			r.Remote.add(value)
		case strings.HasPrefix(key, "ep1_"):
			r.LocalAddrs.add(value, strings.HasPrefix(key, "ep1_4"))
		case strings.HasPrefix(key, "ep2_"):
			r.RemoteAddrs.add(value, strings.HasPrefix(key, "ep2_4"))
		case strings.HasPrefix(key, "platform"):
			r.narrow(key, value)
		}
	}
	return r, r.Active && r.Action != "boundary" && r.Action != "donotsecure"
}

// connections adds what rules of connection security that demand IPsec stop: all that comes in without it. They are asked beside the rules of the
// firewall, so that none of those lets it in. Either end may be the host.
func (c *compiler) connections(st *snapshot.FirewallStore) {
	for _, text := range st.Connections {
		r, demands := parseConnection(st.Store, text.ID, text.Text)
		if fits, _ := c.fits(r); !demands || !fits {
			continue
		}
		c.connection(r)
		if turned := *r; !r.Local.empty() || !r.Remote.empty() || r.LocalAddrs.restrict || r.RemoteAddrs.restrict {
			turned.Local, turned.Remote, turned.LocalAddrs, turned.RemoteAddrs = r.Remote, r.Local, r.RemoteAddrs, r.LocalAddrs
			c.connection(&turned)
		}
	}
}

// connection adds the filters of a rule for the host as its first end.
func (c *compiler) connection(r *Rule) {
	for _, s := range c.policy.Settings {
		if r.Profiles != nil && !slices.Contains(r.Profiles, s.Profile) || r.Store == snapshot.StoreLocal && !s.MergeIPsec && s.Doubt == "" {
			continue
		}
		for _, v4 := range []bool{true, false} {
			in := []snapshot.WindowsProfile{s.Profile}
			f := wfp.Filter{
				Name: fmt.Sprintf("connection security rule %s (%s)", r.ID, r.Store), Provider: string(r.Store), Sublayer: sublayerIPsec, Weight: blockWeight, Action: wfp.Block,
				Conditions: []wfp.Condition{
					number(wfp.OriginalProfile, wfp.Equal, profileID(s.Profile)),
					number(wfp.Flags, wfp.NoneSet, wfp.FlagIPsec|wfp.FlagPlainLoopback|wfp.FlagAppContainerLoopback),
				},
			}
			var ok bool
			if f.Conditions, ok = c.addresses(f.Conditions, r, v4, in); !ok {
				continue
			}
			c.interfaces(&f, r, wfp.Block)
			if r.Protocol != anyProtocol {
				f.Conditions = append(f.Conditions, number(wfp.Protocol, wfp.Equal, uint64(r.Protocol)))
			}
			f.Conditions = append(f.Conditions, portConditions(wfp.RemotePort, &r.Remote)...)
			for _, ports := range c.localPorts(r) {
				x := f
				x.Conditions = append(slices.Clone(f.Conditions), ports...)
				c.add(x, v4)
			}
		}
	}
}
