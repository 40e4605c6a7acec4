package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/remedy"
)

// printed are commands of this program in texts: at the beginning of a line or in parentheses, with what follows on the line.
var printed = regexp.MustCompile(`(?m)(?:^[ $0-9]*|\()(?:sudo )?ringfence ([a-z-][^\n)#]*)`)

// stands are words that a person replaces.
var stands = strings.NewReplacer(
	"NETWORK", "192.0.2.0/24", "FILE.nft", "x.nft", "FILE...", "a.json b.json", "FILE", "x", "DIR", "d", "OLD NEW", "a.json b.json", "AREA/CHECK", "own/x",
	"ID|FINGERPRINT", "own/x", "ID", "own/x", "CHECK", "own/x",
)

// parses says whether the command line takes these words: commands and flags that there are, with values that are some, and as many arguments.
func parses(words []string) (err error) {
	var ran bool
	root := new(env).root()
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.RunE != nil && !c.DisableFlagParsing {
			c.RunE = func(*cobra.Command, []string) error { ran = true; return nil }
		}
		c.PersistentPreRun = nil
		for _, below := range c.Commands() {
			walk(below)
		}
	}
	walk(root)
	root.SetArgs(words)
	if err = root.Execute(); err == nil && !ran && !slices.Contains(words, "--help") && !slices.Contains(words, "--version") {
		err = fmt.Errorf("nothing is run by %q", words)
	}
	return err
}

// split parts a line as a shell does it where quotes are single ones or none.
func split(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		before, _, ends := strings.Cut(strings.ReplaceAll(part, "|", ">"), ">") // what comes behind is the shell's
		if words = append(words, strings.Fields(before)...); ends {
			break
		}
	}
	return words
}

// TestPrintedCommandsRun: what the page tells somebody to type is a command line of this program, for every action of every fixture.
func TestPrintedCommandsRun(t *testing.T) {
	p, err := judge.Load()
	if err != nil {
		t.Fatal(err)
	}
	s, cfg := fixtures.Host(), new(judge.Config)
	s.NFTables.Ruleset.Tables = nil
	r, err := judge.Judge(t.Context(), s, p, cfg, "1")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, a := range remedy.Actions(r, s, cfg.Zones) {
		if a.Command != "" {
			seen[a.Command] = true
		}
	}
	if len(seen) < 2 {
		t.Fatalf("only %v is to be done", seen)
	}
	for command := range seen {
		line, is := strings.CutPrefix(command, "ringfence ")
		if err := parses(split(stands.Replace(line))); !is || err != nil {
			t.Errorf("%s: %v", command, err)
		}
	}
}

// TestDocumentedCommandsRun: so are the examples of the documents, of --help and of what policies say.
func TestDocumentedCommandsRun(t *testing.T) {
	var texts []string
	add := func(file string) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	for _, file := range []string{"README.md", "SECURITY.md", "CONTRIBUTING.md", "docs/formats.md", "docs/facts.md"} {
		add("../../" + file)
	}
	err := filepath.WalkDir("../../rego/policies", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			add(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		texts = append(texts, c.Example)
		for _, below := range c.Commands() {
			walk(below)
		}
	}
	walk(new(env).root())
	n := 0
	for _, text := range texts {
		for _, m := range printed.FindAllStringSubmatch(text, -1) {
			line, _, _ := strings.Cut(strings.TrimSpace(m[1]), " # ")
			line, _, _ = strings.Cut(line, "   ")
			if strings.ContainsAny(line, "…`:;") || strings.Contains(line, "...") || strings.Contains(line, " the ") || strings.Contains(line, " is ") || strings.Contains(line, " tells ") {
				continue // prose
			}
			n++
			if err := parses(split(stands.Replace(line))); err != nil {
				t.Errorf("ringfence %s: %v", line, err)
			}
		}
	}
	if n < 25 {
		t.Errorf("only %d commands were found", n)
	}
}
