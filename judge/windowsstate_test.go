//go:build linux

package judge

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/winhost"
)

// exportedState is what "netsh wfp show state" writes on a host with 1,300 filters, half of them where connections that come in are decided: 3.4 MB.
func exportedState() []byte {
	var out strings.Builder
	line := func(depth int, format string, args ...any) {
		out.WriteString(strings.Repeat("\t", depth) + fmt.Sprintf(format, args...) + "\r\n")
	}
	condition := func(field, match, typ, value string) {
		line(4, "<item>\r\n\t\t\t\t\t<fieldKey>FWPM_CONDITION_%s</fieldKey>\r\n\t\t\t\t\t<matchType>FWP_MATCH_%s</matchType>", field, match)
		line(5, "<conditionValue>\r\n\t\t\t\t\t\t<type>%s</type>\r\n\t\t\t\t\t\t%s\r\n\t\t\t\t\t</conditionValue>\r\n\t\t\t\t</item>", typ, value)
	}
	number := func(field string, bits, n int) {
		condition(field, "EQUAL", fmt.Sprintf("FWP_UINT%d", bits), fmt.Sprintf("<uint%d>%d</uint%[1]d>", bits, n))
	}
	line(0, "\ufeff<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\r\n<wfpstate>\r\n\t<subLayers>")
	for i, name := range []string{"WF", "WSH", "QUARANTINE", "APP_ISOLATION"} {
		line(2, "<item>\r\n\t\t\t<subLayerKey>FWPM_SUBLAYER_MPSSVC_%s</subLayerKey>\r\n\t\t\t<weight>%d</weight>\r\n\t\t</item>", name, i+2)
	}
	line(1, "</subLayers>\r\n\t<layers>\r\n\t\t<item>\r\n\t\t\t<layer>\r\n\t\t\t\t<layerKey>FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4</layerKey>\r\n\t\t\t</layer>\r\n\t\t\t<filters>")
	layers := []string{"ALE_AUTH_RECV_ACCEPT_V4", "ALE_AUTH_RECV_ACCEPT_V6", "ALE_AUTH_CONNECT_V4", "ALE_RESOURCE_ASSIGNMENT_V6"}
	for i := range 1300 {
		path := fmt.Sprintf(`\device\harddiskvolume3\program files\windowsapps\product%d\program%d.exe`, i, i)
		var blob []byte
		for _, u := range append(utf16.Encode([]rune(path)), 0) {
			blob = append(blob, byte(u), byte(u>>8))
		}
		line(3, "<item>\r\n\t\t\t<filterKey>{00000000-0000-0000-0000-%012d}</filterKey>\r\n\t\t\t<displayData>\r\n\t\t\t\t<name>Rule %d</name>\r\n\t\t\t\t<description>%s</description>\r\n\t\t\t</displayData>", i, i, strings.Repeat("lets in what it says ", 6))
		line(3, "<flags/>\r\n\t\t\t<providerKey>FWPM_PROVIDER_MPSSVC_WF</providerKey>\r\n\t\t\t<layerKey>FWPM_LAYER_%s</layerKey>\r\n\t\t\t<subLayerKey>FWPM_SUBLAYER_MPSSVC_%s</subLayerKey>\r\n\t\t\t<filterCondition numItems=\"6\">", layers[i%4], []string{"WF", "WF", "WF", "WSH"}[i/4%4])
		condition("ALE_APP_ID", "EQUAL", "FWP_BYTE_BLOB_TYPE", "<byteBlob>\r\n\t\t\t\t\t\t\t<data>"+hex.EncodeToString(blob)+"</data>\r\n\t\t\t\t\t\t\t<asString>"+path+"</asString>\r\n\t\t\t\t\t\t</byteBlob>")
		condition("ALE_USER_ID", "EQUAL", "FWP_SECURITY_DESCRIPTOR_TYPE", fmt.Sprintf("<sd>O:SYG:SYD:(A;;CCRC;;;S-1-5-80-%d-1-2-3-4)</sd>", i))
		number("IP_PROTOCOL", 8, 6)
		number("IP_LOCAL_PORT", 16, 1+i)
		number("ORIGINAL_PROFILE_ID", 32, 1+i%3)
		number("ARRIVAL_TUNNEL_TYPE", 32, 0)
		line(3, "</filterCondition>\r\n\t\t\t<action>\r\n\t\t\t\t<type>FWP_ACTION_%s</type>\r\n\t\t\t\t<filterType/>\r\n\t\t\t</action>\r\n\t\t\t<filterId>%d</filterId>", []string{"PERMIT", "PERMIT", "BLOCK"}[i%3], 1000+i)
		line(3, "<effectiveWeight>\r\n\t\t\t\t<type>FWP_UINT64</type>\r\n\t\t\t\t<uint64>%d</uint64>\r\n\t\t\t</effectiveWeight>\r\n\t\t</item>", 1<<40+i)
	}
	line(1, "</filters>\r\n\t\t</item>\r\n\t</layers>\r\n</wfpstate>\r\n<firewallState/>")
	return []byte(out.String())
}

// judgedState reads an export, and judges the host that it is of.
func judgedState(tb testing.TB, p *Policies, b []byte) *snapshot.Snapshot {
	tb.Helper()
	filters, err := winhost.ReadState(b)
	if err != nil {
		tb.Fatal(err)
	}
	s := fixtures.WindowsHost()
	s.Windows.Filters = *filters
	s.Windows.Filters.Read = snapshot.Fact{State: snapshot.Present}
	if _, err := Judge(context.Background(), s, p, new(Config), "0"); err != nil {
		tb.Fatal(err)
	}
	return s
}

// TestWindowsStateIsCheap judges 3.4 MB of filters, which take a tenth of a second of a processor.
func TestWindowsStateIsCheap(t *testing.T) {
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	b := exportedState()
	if len(b) < 3_400_000 {
		t.Errorf("only %d bytes", len(b))
	}
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	least := time.Hour
	for range 3 {
		begin := spent()
		if s := judgedState(t, p, b); len(s.Windows.Filters.Filters) < 800 {
			t.Fatalf("%d filters were read", len(s.Windows.Filters.Filters))
		}
		least = min(least, spent()-begin)
	}
	if t.Logf("%d bytes: %s", len(b), least); least > 20*time.Second {
		t.Errorf("%d bytes of filters took %s", len(b), least)
	}
}

// BenchmarkWindowsState reads and judges 3.4 MB of filters.
func BenchmarkWindowsState(b *testing.B) {
	p, err := Load()
	if err != nil {
		b.Fatal(err)
	}
	text := exportedState()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		judgedState(b, p, text)
	}
}
