package finding

import (
	"fmt"
	"slices"
	"strings"
)

// Waiver is what a finding was accepted by.
type Waiver struct {
	Reason  string `json:"reason"`          // why it is accepted
	Owner   string `json:"owner,omitempty"` // who accepted it
	Expires string `json:"expires"`         // the last day on which it holds, in UTC (2006-01-02)
	// Reopened says why it does not hold: then the finding counts.
	Reopened string `json:"reopened,omitempty"`
}

// Holds says whether a finding does not count.
func (w *Waiver) Holds() bool { return w != nil && w.Reopened == "" }

// String is the waiver in words.
func (w *Waiver) String() string {
	s := w.Reason
	if w.Owner != "" {
		s += " (" + w.Owner + ")"
	}
	s += ", until " + w.Expires
	if w.Reopened != "" {
		return fmt.Sprintf("not waived any more: %s; it was: %s", w.Reopened, s)
	}
	return s
}

// Waivers says what came of a file of waivers.
type Waivers struct {
	Digest   string `json:"digest"`   // of the file
	Given    int    `json:"given"`    // waivers in it
	Applied  int    `json:"applied"`  // findings and unknown checks that do not count by it
	Reopened int    `json:"reopened"` // findings that were accepted, and count again
}

// AllZones are the zones that a finding is about.
func (f *Finding) AllZones() []string {
	if len(f.Zones) == 0 && f.Zone != "" {
		return []string{f.Zone}
	}
	return f.Zones
}

// Owners are the programs, containers or units that have the socket that a finding is about.
func (r *Report) Owners(f *Finding) (list []string) {
	for i := range r.Exposures {
		if s := &r.Exposures[i].Service; f.About(s) && !slices.Contains(list, s.Owner) {
			list = append(list, s.Owner)
		}
	}
	return list
}

// About says whether a finding is about a socket.
func (f *Finding) About(s *Service) bool {
	return f.Resource.Kind == "service" && (f.Resource.Key == s.Key() || eitherFamily(f.Resource.Key) == eitherFamily(s.Key()))
}

// Key names a socket, as the keys of findings about it do.
func (s *Service) Key() string {
	addr := s.Address
	if strings.Contains(addr, ":") {
		addr = "[" + addr + "]"
	}
	if s.Device != "" {
		addr += "%" + s.Device
	}
	key := fmt.Sprintf("%s %s:%d (%s)", s.Proto, addr, s.Port, s.Owner)
	if s.Namespace != "" && s.Namespace != "host" {
		key += " in " + s.Namespace
	}
	return key
}
