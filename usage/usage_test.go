package usage

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// program has a command of each kind.
func program() *cobra.Command {
	root := &cobra.Command{Use: "p", SilenceErrors: true, SilenceUsage: true}
	root.Flags().BoolP("version", "V", false, "")
	sub := &cobra.Command{Use: "fix", Short: "s"}
	format, wait := "text", time.Second
	var file string
	var list []string
	var port int
	var quiet bool
	do := &cobra.Command{Use: "apply [ID]", Short: "s", Args: Args("[ID]"), RunE: func(*cobra.Command, []string) error { return nil }}
	Choice(do, &format, "format", "f", []string{"text", "json"}, "text or json")
	Length(do, &wait, "wait", "how long")
	do.Flags().StringVar(&file, "file", "", "a `thing`")
	do.Flags().StringArrayVarP(&list, "output", "o", nil, "")
	do.Flags().IntVar(&port, "port", 0, "")
	do.Flags().BoolVarP(&quiet, "quiet", "q", false, "")
	show := &cobra.Command{Use: "show ID", Short: "s", Args: Args("ID"), RunE: func(*cobra.Command, []string) error { return nil }}
	none := &cobra.Command{Use: "none", Short: "s", Args: None, RunE: func(*cobra.Command, []string) error { return nil }}
	look := &cobra.Command{Use: "look", Short: "s", Args: None, RunE: func(*cobra.Command, []string) error { return nil }}
	look.Flags().String("snapshot", "", "")
	look.Flags().Bool("deep", false, "")
	look.Flags().String("policy", "", "a `directory`")
	page := &cobra.Command{Use: "page DIR", Short: "s", Args: Args("DIR"), RunE: func(*cobra.Command, []string) error { return nil }}
	shown := "table"
	Choice(page, &shown, "format", "f", []string{"table", "json"}, "table or json")
	page.Flags().StringArrayP("output", "o", nil, "")
	page.Flags().String("severity", "", "")
	page.Flags().Bool("summary", false, "")
	page.Flags().BoolP("verbose", "v", false, "")
	look.AddCommand(&cobra.Command{Use: "diff", Short: "s", Args: None, RunE: func(*cobra.Command, []string) error { return nil }})
	merge := &cobra.Command{Use: "merge FILE...", Short: "s", Args: Files, RunE: func(*cobra.Command, []string) error { return nil }}
	sub.AddCommand(merge, do, show, none, look, page)
	root.AddCommand(Group(sub))
	root.PersistentFlags().String("at", "", "")
	root.InitDefaultCompletionCmd()
	root.SetHelpCommand(Help())
	Strict(Group(root), func(name string) []string { return map[string][]string{"ID": {"one", "two"}, "thing": {"f1"}}[name] })
	return root
}

func TestCallsThatAreWrong(t *testing.T) {
	for line, want := range map[string]string{
		"fxi":                             `unknown command "fxi" of p: did you mean p fix?`,
		"fxi --port 7":                    `unknown command "fxi" of p: did you mean p fix?`,
		"fix aply --file x":               `unknown command "aply" of p fix: did you mean p fix apply?`,
		"fix nosuch":                      `unknown command "nosuch" of p fix: p fix --help lists them`,
		"-h nosuch":                       `unknown command "nosuch" of p: p --help lists them`,
		"fix -h aply":                     `unknown command "aply" of p fix: did you mean p fix apply?`,
		"fix --help --nosuch":             `unknown flag "--nosuch" of p fix: p fix --help lists them`,
		"--nosuch -h":                     `unknown flag "--nosuch" of p: p --help lists them`,
		"fix --nosuch":                    `unknown flag "--nosuch" of p fix: p fix --help lists them`,
		"--verison":                       `unknown flag "--verison" of p: did you mean --version?`,
		"--version --help=no":             `p needs a command: p --help lists them`,
		"help fix aply":                   `unknown command "aply" of p fix: did you mean p fix apply?`,
		"help fix none x":                 `unknown command "x" of p fix none: it has no commands below it`,
		"help nosuch":                     `unknown command "nosuch" of p: p --help lists them`,
		"fix apply --formt json":          `unknown flag "--formt" of p fix apply: did you mean --format?`,
		"fix apply -z":                    `unknown flag "-z" of p fix apply: p fix apply --help lists them`,
		"fix apply -format json":          `format "ormat": want text or json`,
		"fix apply --file a --file b":     `--file "b": it was given already, as "a"`,
		"fix apply --file a --file a":     `--file "a": it was given already, as "a"`,
		"fix apply -f json --format=text": `--format "text": it was given already, as "json"`,
		"fix apply --port 1 --port 2":     `--port "2": it was given already, as "1"`,
		"fix apply --quiet --quiet=false": `--quiet "false": it was given already, as "true"`,
		"fix apply --file=":               `--file is empty: leave it out, or give it a value`,
		"fix apply --output=":             `--output is empty: leave it out, or give it a value`,
		"fix apply --file":                `--file needs a value: p fix apply --help explains it`,
		"fix apply --format jsno":         `format "jsno": want text or json; did you mean json?`,
		"fix apply --port ssh":            `port "ssh": want a number`,
		"fix apply --wait 5":              `wait "5": want a time such as 20s, 2m, 24h or 7d`,
		"fix apply --wait -1s":            `wait "-1s": want more than 0`,
		"fix apply --wait 0":              `wait "0": want more than 0`,
		"fix apply --quiet=maybe":         `quiet "maybe": want true or false`,
		"fix apply a b":                   `p fix apply wants [ID] alone, not also "b"`,
		"fix show":                        `p fix show wants ID: p fix show --help explains it`,
		"fix look dif":                    `unknown command "dif" of p fix look: did you mean p fix look diff?`,
		"fix look --snapshot a --deep":    `--snapshot and --deep do not go together: leave one out`,
		"fix look --policy -":             `policy "-": want a directory, not standard input or output`,
		"fix page -":                      `p fix page: DIR "-": want a directory, not standard input or output`,
		"fix page d -f json --summary":    `--summary is about the table, and none is written: each other format has everything`,
		"fix page d -f json -o json=x --severity high": `--severity is about the table, and none is written: each other format has everything`,
		"fix none a": `p fix none takes no argument, not "a": p fix none --help explains it`,
	} {
		c := program()
		c.SetArgs(strings.Fields(line))
		c.SetOut(new(bytes.Buffer))
		if err := c.Execute(); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
	for line, want := range map[string]string{
		"--at fix":             `p needs a command, and "fix" is the value of --at: p --help lists them`,
		"-V -V":                `p needs a command: p --help lists them`,
		"-V fxi":               `unknown command "fxi" of p: did you mean p fix?`,
		"--at x fxi":           `unknown command "fxi" of p: did you mean p fix?`,
		"fix look a.json":      `p fix look takes no argument, not "a.json": did you mean --snapshot a.json?`,
		"fix none a.json":      `p fix none takes no argument, not "a.json": p fix none --help explains it`,
		"fix none -h a":        `p fix none takes no argument, not "a": p fix none --help explains it`,
		"fix none a --help":    `p fix none takes no argument, not "a": p fix none --help explains it`,
		"fix apply --help a b": `p fix apply wants [ID] alone, not also "b"`,
		"fix look -h dif":      `unknown command "dif" of p fix look: did you mean p fix look diff?`,
		"completion bash x":    `p completion bash takes no argument, not "x": p completion bash --help explains it`,
		"fix show -h":          "", "fix show -h x": "", "fix apply -h": "", "fix look -h": "", "fix none -h": "", "fix -h": "", "--at x fix none": "", "help fix none": "",
	} {
		c, out := program(), &Out{To: new(bytes.Buffer)}
		c.SetArgs(strings.Fields(line))
		c.SetOut(out)
		err := c.Execute()
		if err == nil {
			err = out.Err
		}
		if err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
	c := program()
	c.SetArgs([]string{""})
	if err := c.Execute(); err == nil || err.Error() != `unknown command "" of p: p --help lists them` {
		t.Errorf("an empty word: %v", err)
	}
}

func TestCallsThatAreRight(t *testing.T) {
	for _, line := range []string{
		"", "-h", "-h fix", "--help fix apply", "-h --version", "fix", "fix --help", "help", "help fix apply", "fix apply", "fix apply -q -q", "fix apply ID -o a -o b -o b", "fix show x",
		"fix apply --wait 2m --format json --port 7", "fix none", "fix look",
		"fix look --deep", "fix look --snapshot a", "fix look diff",
		"fix page d -v --severity high", "fix page d -f json -o json=x -o table=y --summary", "fix page d -f json", "fix apply -f json -q",
	} {
		c := program()
		c.SetArgs(strings.Fields(line))
		c.SetOut(new(bytes.Buffer))
		if err := c.Execute(); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestValuesAreCompleted: a shell is told what a flag or an argument can be, and else looks for files.
func TestValuesAreCompleted(t *testing.T) {
	for line, want := range map[string]string{
		"fix apply --format":  "text\njson\n:4\n",
		"fix apply --file":    "f1\n:4\n",
		"fix apply --output":  ":0\n",
		"fix show":            "one\ntwo\n:4\n",
		"fix show one":        ":0\n",
		"fix look --snapshot": ":0\n",
	} {
		c := program()
		var out bytes.Buffer
		c.SetOut(&out)
		c.SetErr(new(bytes.Buffer))
		c.SetArgs(append(append([]string{"__complete"}, strings.Fields(line)...), ""))
		if err := c.Execute(); err != nil || out.String() != want {
			t.Errorf("%s: %v %q, want %q", line, err, &out, want)
		}
	}
}

func TestWithout(t *testing.T) {
	for line, want := range map[string]string{
		"p reach --netns x --from a": "p reach --from a", "p --netns=x reach": "p reach", "p reach --netns": "p reach", "p -- --netns x": "p -- --netns x", "p --netnsx y": "p --netnsx y",
	} {
		if got := strings.Join(Without(strings.Fields(line), "netns"), " "); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// TestHelpTellsNoEmptyDefault: a list is empty and a time is none where nothing is given, which is no news.
func TestHelpTellsNoEmptyDefault(t *testing.T) {
	c := program()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetArgs([]string{"fix", "apply", "--help"})
	if err := c.Execute(); err != nil || strings.Contains(out.String(), "[])") || !strings.Contains(out.String(), "default 1s") {
		t.Errorf("%v %s", err, &out)
	}
}

// TestHelpInLines: help goes through what breaks its lines, once and as a whole, also that of commands that only have others below them.
func TestHelpInLines(t *testing.T) {
	for _, line := range []string{"--help", "fix", "fix apply --help", "help fix apply"} {
		var to bytes.Buffer
		times := 0
		c, out := program(), &Out{To: &to, Fold: func(s string) string { times++; return strings.ToUpper(s) }}
		c.SetOut(out)
		c.SetArgs(strings.Fields(line))
		if err := c.Execute(); err != nil || out.Err != nil || times != 1 || !strings.Contains(to.String(), "USAGE:") || c.OutOrStdout() != out {
			t.Errorf("%s: %v %v, %d times: %s", line, err, out.Err, times, &to)
		}
	}
}

// TestHelpOnAFullDisk: what could not be written is an error, though the printer of help loses it.
func TestHelpOnAFullDisk(t *testing.T) {
	c, out := program(), &Out{To: full{}}
	c.SetOut(out)
	c.SetArgs([]string{"--help"})
	if err := c.Execute(); err != nil || out.Err == nil {
		t.Errorf("%v %v", err, out.Err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }
