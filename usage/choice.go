package usage

import (
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/words"
)

// choice is the value of a flag that is one of a list.
type choice struct {
	into *string
	list []string
}

func (c choice) String() string {
	if c.into == nil {
		return ""
	}
	return *c.into
}

func (c choice) Set(text string) error {
	if !slices.Contains(c.list, text) {
		return words.Wrong(text, c.list)
	}
	*c.into = text
	return nil
}

func (c choice) Type() string { return "string" }

// Choice defines a flag that is one of a list, which a shell completes. What it is before is its default.
func Choice(c *cobra.Command, into *string, name, short string, list []string, help string) {
	c.Flags().VarP(choice{into, list}, name, short, help)
	_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)) // it was just defined
}

// length is the value of a flag that is a time, and longer than none.
type length struct{ into *time.Duration }

func (l length) String() string {
	if l.into == nil {
		return ""
	}
	return l.into.String()
}

func (l length) Set(text string) error {
	d, err := words.Length(text)
	if err != nil {
		return err
	}
	*l.into = d
	return nil
}

func (l length) Type() string { return "duration" }

// Length defines a flag that is a time longer than none. What it is before is its default.
func Length(c *cobra.Command, into *time.Duration, name, help string) {
	c.Flags().Var(length{into}, name, help)
}

// ID reads the value of a flag that is the number of a user or a process, which stays nil where it is not given.
func ID(into **int) func(string) error {
	return func(text string) error {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return words.WantError("a number from 0 on")
		}
		is := int(n)
		*into = &is
		return nil
	}
}
