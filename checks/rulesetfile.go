//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// MaxRulesetFile bounds the text of a ruleset, in bytes.
const MaxRulesetFile = 256 << 20

// LoadRulesetCommand is the hidden command of this program that LoadRuleset is.
const LoadRulesetCommand = "load-ruleset"

// RulesetText is a packet filter that is not loaded: a text for nft, and after it texts for iptables-restore.
type RulesetText struct {
	Nft     []byte
	Restore []RestoreText
	Links   []snapshot.Link // whose names the texts use
}

// RestoreText is a text for iptables-restore (iptables-restore(8)), or for ip6tables-restore if it is for IPv6. It adds to what is loaded.
type RestoreText struct {
	Text []byte `json:"text"`
	V6   bool   `json:"v6,omitempty"`
}

// rulesetJob is what the child is given.
type rulesetJob struct {
	Text    []byte         `json:"text"`
	Restore []RestoreText  `json:"restore,omitempty"`
	Links   map[int]string `json:"links"` // names of interfaces by index, which iif and oif compare
}

// ReadRulesetText reads a ruleset that is not loaded. A child of this program, in a network namespace of its own with
// the names of the host's interfaces, has nft and iptables load it there and reads it back: they and the kernel say what a text means.
func ReadRulesetText(ctx context.Context, text RulesetText) (*ruleset.Ruleset, error) {
	job := rulesetJob{Text: text.Nft, Restore: text.Restore, Links: map[int]string{}}
	for i := range text.Links {
		job.Links[text.Links[i].Index] = text.Links[i].Name
	}
	b, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	var out, errs bytes.Buffer
	cmd := host.Command(ctx, "/proc/self/exe", LoadRulesetCommand)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(b), &out, &errs
	host.NewNetns(cmd)
	if err := host.Run(cmd); err != nil {
		return nil, saidOr(strings.TrimPrefix(errs.String(), "ringfence: "), err)
	}
	rs := new(ruleset.Ruleset)
	if err := json.Unmarshal(out.Bytes(), rs); err != nil {
		return nil, err
	}
	return rs, nil
}

// saidOr is what a program said in its one message, or where that is nothing how it ended.
func saidOr(text string, err error) error {
	if text = strings.Join(strings.Fields(text), " "); text != "" {
		return errors.New(text)
	}
	return err
}

// loadText has a program of root's load a text that it is given.
func loadText(ctx context.Context, text []byte, program string, args ...string) error {
	file, err := host.Local().ExecutablePath(program)
	if err != nil {
		return fmt.Errorf("%w: it is needed to read a ruleset file", err)
	}
	cmd := host.Command(ctx, file, args...)
	cmd.Stdin, cmd.Env = bytes.NewReader(text), host.Environment()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := host.Run(cmd); err != nil {
		return fmt.Errorf("%s: %w", program, saidOr(said.String(), err))
	}
	return nil
}

// LoadRuleset is the child of ReadRulesetText. It refuses to work in a network namespace that has anything in it.
func LoadRuleset(ctx context.Context, in io.Reader, out io.Writer) error {
	var job rulesetJob
	if err := json.NewDecoder(in).Decode(&job); err != nil {
		return err
	}
	if err := host.MakeLinks(job.Links); err != nil {
		return err
	}
	if len(job.Text) > 0 || len(job.Restore) == 0 {
		if err := loadText(ctx, job.Text, "nft", "-f", "-"); err != nil {
			return err
		}
	}
	for _, r := range job.Restore {
		program := map[bool]string{false: "iptables-nft-restore", true: "ip6tables-nft-restore"}[r.V6]
		if err := loadText(ctx, r.Text, program, "--noflush"); err != nil {
			return err
		}
	}
	rs, err := ReadRuleset(ctx, host.Local())
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(rs)
}
