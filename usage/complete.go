package usage

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// complete has a shell offer what values knows of the flags and the first argument of a command that have no list of their own.
func complete(c *cobra.Command, values func(string) []string) {
	offer := func(name string) cobra.CompletionFunc {
		return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			list := values(name)
			if len(list) == 0 {
				return nil, cobra.ShellCompDirectiveDefault // a file, perhaps
			}
			return list, cobra.ShellCompDirectiveNoFileComp
		}
	}
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Value.Type() != "bool" {
			kind, _ := pflag.UnquoteUsage(f)
			_ = c.RegisterFlagCompletionFunc(f.Name, offer(kind)) // one that has a list of its own keeps it
		}
	})
	if words := strings.Fields(c.Use); len(words) > 1 && c.ValidArgsFunction == nil {
		first := offer(words[1])
		c.ValidArgsFunction = func(c *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return first(c, args, begun)
		}
	}
}
