package main

import (
	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/usage"
)

// senderFlags say which processes of the host send the packets of a question.
func senderFlags(c *cobra.Command, by *exposure.Who) {
	c.Flags().Func("uid", "only what processes of this `user` id send (each of these four with --from host or a zone)", usage.ID(&by.UID))
	c.Flags().Func("pid", "only what this `process` sends", usage.ID(&by.PID))
	c.Flags().StringVar(&by.Unit, "unit", "", "only what the processes of this systemd `unit` send")
	c.Flags().StringVar(&by.Cgroup, "cgroup", "", "only what the processes in this cgroup `path` or below it send")
}
