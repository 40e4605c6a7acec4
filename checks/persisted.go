//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of a packet filter that is loaded at boot: its text, the interfaces whose names it may use, and how long to load it may take.
const (
	maxPersisted     = 1 << 20
	maxPersistedLink = 256
	persistedTimeout = 5 * time.Second
)

// persisted reads what nftables.service loads at boot, if it is started then: nft loads the file into a network namespace of its own, and the
// kernel says what that is. Only a file of root's is loaded: it can include others.
func (s *Scan) persisted(ctx context.Context, services []snapshot.BootService) snapshot.Persisted {
	on := slices.ContainsFunc(services, func(b snapshot.BootService) bool { return b.Name == "nftables.service" && b.Enabled })
	if !on {
		return snapshot.Persisted{Read: snapshot.Fact{State: snapshot.Absent}}
	}
	p := snapshot.Persisted{}
	if err := s.readPersisted(ctx, &p); err != nil {
		p.Ruleset = nil
		if p.Read = toFact("", err); p.Read.State == snapshot.Absent { // the file that the service names
			p.Read = snapshot.Fact{State: snapshot.Error, Reason: err.Error()}
		}
		return p
	}
	p.Read = present("%s", p.File)
	return p
}

func (s *Scan) readPersisted(ctx context.Context, p *snapshot.Persisted) error {
	lines, why := s.unitLines("nftables.service")
	if why != "" {
		return errors.New("nftables.service: " + why)
	}
	for _, v := range listOfKey(lines, "[Service]", "ExecStart") {
		if f := last(optionValues(strings.Fields(v), "-f", "--file")); path.IsAbs(f) {
			p.File = f
		}
	}
	if p.File == "" {
		return errors.New("nftables.service loads no file that it names")
	}
	a, st, err := s.Host.Author(p.File)
	switch {
	case err != nil:
		return err
	case !a.Root():
		return fmt.Errorf("%s is not root's alone", p.File)
	case st.Size > maxPersisted:
		return fmt.Errorf("%s: more than %d bytes", p.File, maxPersisted)
	case s.loadRuleset == nil:
		return errors.New("nobody was asked to load it")
	}
	b, err := s.Host.ReadFile(p.File)
	if err != nil {
		return err
	}
	links, err := s.linkNames(string(b))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, persistedTimeout)
	defer cancel()
	p.Ruleset, err = s.loadRuleset(ctx, b, links)
	return err
}

// linkNames are the interfaces of the host whose names a text has: rules compare the numbers of some.
func (s *Scan) linkNames(text string) ([]snapshot.Link, error) {
	h, err := s.Host.Route()
	if err != nil {
		return nil, err
	}
	defer h.Close()
	list, err := steady(ownPause, h.LinkList)
	if err != nil {
		return nil, err
	}
	var links []snapshot.Link
	for _, l := range list {
		if a := l.Attrs(); strings.Contains(text, a.Name) && len(links) < maxPersistedLink {
			links = append(links, snapshot.Link{Index: a.Index, Name: a.Name})
		}
	}
	return links, nil
}
