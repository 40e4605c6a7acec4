package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/exit"
)

// TestUnknownWords: a word that is no command is a usage error with what may have been meant, and so is a flag that does nothing.
func TestUnknownWords(t *testing.T) {
	for line, want := range map[string]string{
		"fix pln": "ringfence fix plan", "fix nosuch": "ringfence fix --help", "checks lst": "ringfence checks list",
		"help nosuch": "ringfence --help", "help fix pln": "ringfence fix plan", "nosuch": "nosuch",
		"checks test --policy d x": "--policy says nothing to ringfence checks test", "checks --policy d document --schema": "--policy says nothing to ringfence checks document",
		"checks export d --policy d":      "--policy says nothing to ringfence checks export",
		"audit --snapshot x --keep tcp/1": "--keep goes with --fix", "audit --snapshot x --layer service": "--layer goes with --fix",
	} {
		var out, errs bytes.Buffer
		if code := run(strings.Fields(line), nil, &out, &errs); code != exit.Usage || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: %d %s", line, code, errs.String())
		}
	}
	for _, line := range []string{"fix", "checks", "help", "help fix", "help fix plan"} {
		var out, errs bytes.Buffer
		if code := run(strings.Fields(line), nil, &out, &errs); code != exit.OK || out.Len() == 0 {
			t.Errorf("%s: %d %s", line, code, errs.String())
		}
	}
}

// TestHelpOffersWhatWorks: a flag that is always refused is not among those of the command.
func TestHelpOffersWhatWorks(t *testing.T) {
	for line, offered := range map[string]bool{"help fix apply": false, "help fix plan": true, "help audit": true} {
		var out bytes.Buffer
		if code := run(strings.Fields(line), nil, &out, &out); code != exit.OK || strings.Contains(out.String(), "--snapshot") != offered {
			t.Errorf("%s: %d %s", line, code, &out)
		}
	}
}
