package words

import (
	"testing"
	"time"
)

// TestLengths: days are read too, and nothing that is no time, is none, or is longer than can be counted.
func TestLengths(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"20s": 20 * time.Second, "2m30s": 150 * time.Second, "7d": 7 * 24 * time.Hour, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour, "0d1s": time.Second,
	} {
		if got, err := Length(text); got != want || err != nil {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "want " + ALength, "5": "want " + ALength, "d": "want " + ALength, "1dd": "want " + ALength, "xd": "want " + ALength, "1d5": "want " + ALength,
		"h7d": "want " + ALength, "-1d": "want " + ALength, "1d-1h": "want " + ALength, "999999d": "want " + ALength, "106751d24h": "want " + ALength,
		"1h2d": "want " + ALength, "0": "want more than 0", "0d": "want more than 0", "-5m": "want more than 0",
	} {
		if got, err := Length(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v, want %s", text, got, err, want)
		}
	}
}
