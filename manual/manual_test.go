package manual

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/need"
)

// command has a child of each kind, and words that groff would act on.
func command() *cobra.Command {
	root := &cobra.Command{Use: "prog", Short: "Do things"}
	sub := &cobra.Command{
		Use: "sub FILE", Short: "Do 'one' thing", Long: "Do one.\n.TH is no request here, nor\n'this, and \\fB no font.\n\nSecond.",
		Example: "  prog sub -f json\n  .dot", RunE: func(*cobra.Command, []string) error { return nil },
	}
	sub.Flags().StringP("format", "f", "text", "text or `kind`")
	sub.Flags().Bool("secret", false, "x")
	_ = sub.Flags().MarkHidden("secret")
	root.PersistentFlags().String("host-root", "", "a `directory`")
	root.AddCommand(sub, &cobra.Command{Use: "hidden", Hidden: true, RunE: sub.RunE})
	return root
}

// TestPages: each command that is told of has a page with its flags; man renders it without a word of complaint, and shows what was
// written.
func TestPages(t *testing.T) {
	pages := Pages(command(), "1.2", "2026-01-02")
	page := pages["prog-sub.8"]
	if len(pages) != 2+1 || page == "" || pages["prog.8"] == "" || pages["prog-help.8"] == "" {
		t.Fatalf("%d pages", len(pages))
	}
	if strings.Contains(page, "secret") || strings.Contains(pages["prog.8"], "hidden") {
		t.Error("what is hidden is told")
	}
	man := need.Program(t, "man")
	dir := t.TempDir()
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(man, "--warnings=all", "-E", "ascii", "-l", filepath.Join(dir, "prog-sub.8"))
	cmd.Env = append(os.Environ(), "MANWIDTH=80", "MANPAGER=cat", "GROFF_NO_SGR=1")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil || said.Len() > 0 {
		t.Fatalf("%v: %s", err, said.String())
	}
	shown := string(out)
	for _, want := range []string{
		"prog-sub - Do 'one' thing", ".TH is no request here, nor 'this, and \\fB no font.", "-f, --format kind", "--host-root directory",
		"prog sub -f json", ".dot", "(default text)", "prog(8)", "prog sub FILE [flags]", "2026-01-02",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in\n%s", want, shown)
		}
	}
}

// TestMeanings: the exit codes of the pages are those of the README.
func TestMeanings(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range exit.Meanings() {
		if row := fmt.Sprintf("| %s | %s |", m.Code, m.Text); !strings.Contains(string(b), row) {
			t.Errorf("the README does not have %s", row)
		}
	}
}
