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

// rulesetJob is what the child is given.
type rulesetJob struct {
	Text  []byte         `json:"text"`
	Links map[int]string `json:"links"` // names of interfaces by index, which iif and oif compare
}

// ReadRulesetText reads a ruleset in the syntax of nft that is not loaded. A child of this program, in a network namespace of its own with
// the names of the host's interfaces, has nft load it there and reads it back: nft and the kernel say what a text means.
func ReadRulesetText(ctx context.Context, text []byte, links []snapshot.Link) (*ruleset.Ruleset, error) {
	job := rulesetJob{Text: text, Links: map[int]string{}}
	for i := range links {
		job.Links[links[i].Index] = links[i].Name
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

// LoadRuleset is the child of ReadRulesetText. It refuses to work in a network namespace that has anything in it.
func LoadRuleset(ctx context.Context, in io.Reader, out io.Writer) error {
	var job rulesetJob
	if err := json.NewDecoder(in).Decode(&job); err != nil {
		return err
	}
	if err := host.MakeLinks(job.Links); err != nil {
		return err
	}
	nft, err := host.Local().ExecutablePath("nft")
	if err != nil {
		return fmt.Errorf("%w: it is needed to read a ruleset file", err)
	}
	cmd := host.Command(ctx, nft, "-f", "-")
	cmd.Stdin, cmd.Env = bytes.NewReader(job.Text), host.Environment()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := host.Run(cmd); err != nil {
		return fmt.Errorf("nft: %w", saidOr(said.String(), err))
	}
	rs, err := ReadRuleset(ctx, host.Local())
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(rs)
}
