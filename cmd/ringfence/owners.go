package main

import (
	"runtime"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host"
)

// sayUnowned tells of the files that decide what is judged that they are taken from whoever wrote them: known is
// host.OwnersKnown, without which nobody can be refused.
func (e *env) sayUnowned(c *cobra.Command, known bool) {
	if known {
		return
	}
	say := func(what string) {
		e.say("ringfence: %s: whose it is and who can write it is not checked on %s\n", what, runtime.GOOS)
	}
	for _, name := range []string{"config", "policy", "waivers", "assumptions", "model", "history", "baseline", "verification-key", "snapshot"} {
		f := c.Flags().Lookup(name)
		if f != nil && f.Changed && (name != "snapshot" || c.Name() == "plan") {
			say("--" + name)
		}
	}
	if c.Name() == "test" {
		say("the directory of policies")
	}
}

// before runs ahead of every command.
func (e *env) before(c *cobra.Command, _ []string) { e.sayUnowned(c, host.OwnersKnown) }
