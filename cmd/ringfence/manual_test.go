package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ringfence/ringfence/manual"
	"github.com/ringfence/ringfence/need"
)

// TestManualIsComplete: every command that a person can give has a page that man renders without a warning, and every flag of it is there.
func TestManualIsComplete(t *testing.T) {
	root := new(env).root()
	pages := manual.Pages(root, "1", "2026-01-01")
	dir := t.TempDir()
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".8"
		page := pages[name]
		if page == "" || c.Short == "" {
			t.Errorf("%s has no page, or says nothing of itself", c.CommandPath())
			return
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !strings.Contains(page, `\-\-`+strings.ReplaceAll(f.Name, "-", `\-`)+`\fR`) {
				t.Errorf("%s: --%s is not in its page", name, f.Name)
			}
		})
		if err := os.WriteFile(filepath.Join(dir, name), []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, below := range c.Commands() {
			if !below.Hidden {
				walk(below)
			}
		}
	}
	walk(root)
	man := need.Program(t, "man")
	for name := range pages {
		cmd := exec.Command(man, "--warnings=all", "-E", "ascii", "-l", filepath.Join(dir, name))
		cmd.Env = append(os.Environ(), "MANWIDTH=80", "MANPAGER=cat")
		var said strings.Builder
		cmd.Stderr = &said
		if _, err := cmd.Output(); err != nil || said.Len() > 0 {
			t.Errorf("%s: %v: %s", name, err, said.String())
		}
	}
}

// TestEachCommandExplainsItself: also one that is not listed, without the arguments that it wants.
func TestEachCommandExplainsItself(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		var out, said strings.Builder
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		if code := run(args, strings.NewReader(""), &out, &said); code != 0 || said.Len() > 0 || !strings.Contains(out.String(), "Usage:") {
			t.Errorf("%q: exit code %d: %s", args, code, said.String())
		}
		for _, below := range c.Commands() {
			walk(below)
		}
	}
	walk(new(env).root())
}
