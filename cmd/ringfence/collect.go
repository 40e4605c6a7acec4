package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host"
)

func (e *env) collectCommand() *cobra.Command {
	var (
		file     string
		deadline time.Duration
		quiet    bool
		deep     bool
		imports  []string
	)
	c := &cobra.Command{
		Use: "collect", Args: cobra.NoArgs,
		Short: "Write a snapshot of this host, to judge it elsewhere",
		RunE: func(c *cobra.Command, _ []string) error {
			files, err := parseImports(imports)
			if err != nil {
				return err
			}
			snap, err := e.see(c.Context(), looked{deadline: deadline, quiet: quiet, deep: deep})
			if err != nil {
				return err
			}
			addImports(snap, files)
			var b bytes.Buffer
			if err := snap.Write(&b); err != nil {
				return err
			}
			if file != "" {
				return host.WriteFiles(map[string][]byte{file: b.Bytes()})
			}
			if err := e.tellData(b.Bytes(), true); err != nil {
				return fmt.Errorf("write snapshot: %w", err)
			}
			return nil
		},
	}
	c.Flags().StringVarP(&file, "output", "o", "", "write to this `file` (mode 0600) instead of standard output")
	c.Flags().StringArrayVar(&imports, "import", nil, "also keep what another tool reported, as `TOOL=FILE`: openclaw=FILE (repeatable)")
	c.Flags().DurationVar(&deadline, "timeout", 20*time.Second, "deadline of each collector")
	c.Flags().BoolVar(&deep, "deep", false, "look for set-id programs on all file systems of the host too (wants a longer --timeout)")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "no progress on the terminal")
	return c
}
