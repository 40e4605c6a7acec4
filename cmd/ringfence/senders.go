package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/exposure"
)

// senderFlags say which processes of the host send the packets of a question.
func senderFlags(c *cobra.Command, by *exposure.Who) {
	c.Flags().Func("uid", "only what processes of this `user` id send (each of these four with --from host or a zone)", id(&by.UID))
	c.Flags().Func("pid", "only what this `process` sends", id(&by.PID))
	c.Flags().StringVar(&by.Unit, "unit", "", "only what the processes of this systemd `unit` send")
	c.Flags().StringVar(&by.Cgroup, "cgroup", "", "only what the processes in this cgroup `path` or below it send")
}

// id reads a number of a user or a process.
func id(into **int) func(string) error {
	return func(text string) error {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return fmt.Errorf("want a number, not %q", text)
		}
		is := int(n)
		*into = &is
		return nil
	}
}
