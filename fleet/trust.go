package fleet

import (
	"errors"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/signature"
	"github.com/ringfence/ringfence/snapshot"
)

// Trust says what a snapshot has to be for it to be judged.
type Trust struct {
	KnownHosts     []string // files of the form of known_hosts
	AllowedSigners []string // files of the form of allowed_signers
	MaxAge         time.Duration
	Nonce          string
}

// ahead is how far a host's clock may be ahead of ours.
const ahead = 5 * time.Minute

// Asked says whether anything is wanted of a snapshot.
func (t *Trust) Asked() bool { return t.signed() || t.MaxAge != 0 || t.Nonce != "" }

func (t *Trust) signed() bool { return len(t.KnownHosts)+len(t.AllowedSigners) > 0 }

// signers reads the files of signers. They decide what is believed, so they are trusted as the configuration is.
func (t *Trust) signers() (*signature.Signers, error) {
	s := new(signature.Signers)
	if t.Nonce != "" && !t.signed() {
		return nil, errors.New("--nonce wants --known-hosts or --allowed-signers: without a signature anybody could have written it")
	}
	for _, list := range []struct {
		files []string
		add   func(string, []byte) error
	}{{t.KnownHosts, s.AddKnownHosts}, {t.AllowedSigners, s.AddAllowed}} {
		for _, file := range list.files {
			text, err := host.ReadTrusted(file, signature.MaxSigners)
			if err == nil {
				err = list.add(file, text)
			}
			if err != nil {
				return nil, fmt.Errorf("signers: %w", err)
			}
		}
	}
	if t.signed() && s.Empty() {
		return nil, errors.New("signers: no key is in the files")
	}
	return s, nil
}

// check says who a snapshot is from. An error refuses it: it is signed wrongly, by somebody else, too old, or was not asked for. One without a
// signature is judged, and marked.
func (t *Trust) check(d *document, h *snapshot.Head, signers *signature.Signers, names []string, now time.Time) (*finding.Trust, error) {
	if t.Nonce != "" && h.Nonce != t.Nonce {
		return nil, errors.New("nonce: it is not the one that was asked for: the snapshot is of another time")
	}
	if t.MaxAge > 0 {
		when, err := h.Time()
		if err != nil {
			return nil, err
		}
		if age := now.Sub(when); age > t.MaxAge {
			return nil, fmt.Errorf("collected at %s, %s ago: it is older than %s", h.CollectedAt, age.Round(time.Second), t.MaxAge)
		} else if age < -ahead {
			return nil, fmt.Errorf("collected at %s, which has not come yet", h.CollectedAt)
		}
	}
	switch {
	case !t.signed():
		return &finding.Trust{Reason: "nobody asked who signed it"}, nil
	case d.signature == nil && d.signed == nil:
		return &finding.Trust{Reason: "it has no signature"}, nil
	}
	key, err := signature.Verify(d.signed, signature.Namespace, d.signature)
	if err != nil {
		return nil, err
	}
	who, err := signers.Who(key, names, signature.Namespace, now)
	if err != nil {
		return nil, err
	}
	return &finding.Trust{Verified: true, Key: signature.Fingerprint(key), Principal: who.Principal, By: who.By}, nil
}
