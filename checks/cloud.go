//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// clouds are signs of the machines of a cloud in their firmware: a value of /sys/class/dmi/id, as ds-identify of cloud-init reads them.
var clouds = []struct {
	file  string
	value *lazyRegexp
	cloud string
}{
	{"sys_vendor", lazily(`^Amazon EC2`), "aws"},
	{"bios_vendor", lazily(`^Amazon EC2`), "aws"},
	{"product_name", lazily(`^Google Compute Engine`), "gcp"},
	{"chassis_asset_tag", lazily(`^7783-7084-3265-9085-8269-3286-77`), "azure"},
	{"chassis_asset_tag", lazily(`^OracleCloud\.com`), "oracle"},
	{"chassis_asset_tag", lazily(`(?i)^(openstack|SAP CCloud VM|OpenTelekomCloud|Samsung Cloud Platform)`), "openstack"},
	{"product_name", lazily(`^OpenStack (Nova|Compute)`), "openstack"},
	{"product_name", lazily(`^Alibaba Cloud ECS`), "alibaba"},
	{"sys_vendor", lazily(`(?i)^(DigitalOcean|Hetzner|Vultr|Scaleway|Exoscale|Tencent Cloud|Akamai|UpCloud|Huawei Cloud|CloudSigma)`), ""},
}

// cloudIDs are what cloud-init calls clouds that have a metadata service (cloud-id(1)); of others, such as nocloud, files are.
var cloudIDs = []string{
	"aws", "gce", "azure", "openstack", "oracle", "aliyun", "digitalocean", "hetzner", "vultr", "scaleway", "exoscale", "cloudstack", "ec2", "akamai", "upcloud", "ibmcloud",
}

// cloud is whose machine the host is, if it is one of a cloud whose metadata service is at a link-local address; absent if it shows none.
func (s *Scan) cloud() snapshot.Fact {
	var lost error
	for _, c := range clouds {
		b, err := s.Host.ReadFile("/sys/class/dmi/id/" + c.file)
		text := strings.TrimSpace(string(b))
		switch {
		case err != nil && !gone(err):
			lost = err
		case err == nil && c.value.MatchString(text):
			if c.cloud == "" {
				return present("%s", strings.ToLower(c.value.FindString(text)))
			}
			return present("%s", c.cloud)
		}
	}
	b, err := s.Host.ReadFile("/run/cloud-init/cloud-id")
	if id := strings.TrimSpace(string(b)); err == nil && slices.Contains(cloudIDs, id) {
		return present("%s", map[bool]string{true: "gcp", false: id}[id == "gce"])
	}
	if lost != nil {
		return toFact("", lost)
	}
	return snapshot.Fact{State: snapshot.Absent}
}
