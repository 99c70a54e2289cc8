// record.ts copies this file into pkg/virt-launcher/virtwrap of a KubeVirt checkout. It starts one virtual machine as virt-launcher
// does, up to the definition of its domain: with KubeVirt's converter, allocateHotplugPorts and hook manager. It defines domains
// by virsh.
package virtwrap

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	v1 "kubevirt.io/api/core/v1"
	"libvirt.org/go/libvirt"

	"kubevirt.io/kubevirt/pkg/hooks"
	cmdv1 "kubevirt.io/kubevirt/pkg/handler-launcher-com/cmd/v1"
	"kubevirt.io/kubevirt/pkg/virt-launcher/metadata"
	"kubevirt.io/kubevirt/pkg/virt-launcher/virtwrap/api"
	"kubevirt.io/kubevirt/pkg/virt-launcher/virtwrap/cli"
	"kubevirt.io/kubevirt/pkg/virt-launcher/virtwrap/converter"
	"kubevirt.io/kubevirt/pkg/virt-launcher/virtwrap/converter/arch"
	convertertypes "kubevirt.io/kubevirt/pkg/virt-launcher/virtwrap/converter/types"
	"kubevirt.io/kubevirt/pkg/virt-launcher/virtwrap/device/hostdevice/gpu"
	"kubevirt.io/kubevirt/pkg/virt-launcher/virtwrap/device/hostdevice/generic"
)

// The description of a virtual machine, which record.ts writes.
type recording struct {
	VMI          v1.VirtualMachineInstance
	IOMMUFD      bool
	NUMATopology bool
	// The aliases of the GPUs to which the feature gate GraceIOVirtualization applies.
	Grace  []string
	CPUSet []int
	// The NUMA nodes of the host, and the CPUs of each.
	Nodes map[uint32][]uint32
}

type virshConnection struct{ cli.Connection }

type virshDomain struct {
	cli.VirDomain
	name string
}

func virsh(input string, args ...string) (string, error) {
	command := exec.Command("virsh", append([]string{"--quiet"}, args...)...)
	command.Stdin = bytes.NewBufferString(input)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("virsh %v: %w: %s", args, err, stderr.String())
	}
	return stdout.String(), nil
}

var (
	domainType = regexp.MustCompile(`<domain type="kvm"`)
	cpuMode    = regexp.MustCompile(`<cpu mode="host-(?:model|passthrough)">`)
)

// The lab has no KVM for Arm, so libvirt gets another domain type and CPU. The hook does not see this.
func (virshConnection) DomainDefineXML(text string) (cli.VirDomain, error) {
	text = domainType.ReplaceAllString(text, `<domain type="qemu"`)
	text = cpuMode.ReplaceAllString(text, `<cpu mode="custom" match="exact"><model>cortex-a72</model>`)
	if _, err := virsh(text, "define", "/dev/stdin"); err != nil {
		return nil, fmt.Errorf("%w in\n%s", err, text)
	}
	var named struct {
		Name string `xml:"name"`
	}
	err := xml.Unmarshal([]byte(text), &named)
	return virshDomain{name: named.Name}, err
}

func (d virshDomain) GetXMLDesc(libvirt.DomainXMLFlags) (string, error) {
	return virsh("", "dumpxml", "--inactive", d.name)
}

func (virshDomain) Free() error { return nil }

func TestRecord(t *testing.T) {
	text, err := os.ReadFile(os.Getenv("RECORDING"))
	if err != nil {
		t.Fatal(err)
	}
	var given recording
	if err := json.Unmarshal(text, &given); err != nil {
		t.Fatal(err)
	}
	vmi := &given.VMI
	v1.SetObjectDefaults_VirtualMachineInstance(vmi)
	gpus, err := gpu.CreateHostDevices(vmi.Spec.Domain.Devices.GPUs)
	if err != nil {
		t.Fatal(err)
	}
	others, err := generic.CreateHostDevices(vmi.Spec.Domain.Devices.HostDevices)
	if err != nil {
		t.Fatal(err)
	}
	topology := &cmdv1.Topology{}
	for node := uint32(0); int(node) < len(given.Nodes); node++ {
		cell := &cmdv1.Cell{Id: node, Memory: &cmdv1.Memory{Amount: 1 << 32, Unit: "KiB"}}
		for _, cpu := range given.Nodes[node] {
			cell.Cpus = append(cell.Cpus, &cmdv1.CPU{Id: cpu, Siblings: []uint32{cpu}})
		}
		topology.NumaCells = append(topology.NumaCells, cell)
	}
	volumes := map[string]bool{}
	for _, volume := range vmi.Spec.Volumes {
		volumes[volume.Name] = true
	}
	context := &convertertypes.ConverterContext{
		Architecture:                    arch.NewConverter("arm64"),
		HypervisorDeviceAvailable:       true,
		VirtualMachine:                  vmi,
		CPUSet:                          given.CPUSet,
		Topology:                        topology,
		IsBlockPVC:                      volumes,
		GPUHostDevices:                  gpus,
		GenericHostDevices:              others,
		MemBalloonStatsPeriod:           10,
		FreePageReporting:               true,
		EFIConfiguration:                &convertertypes.EFIConfiguration{EFICode: "/usr/share/AAVMF/AAVMF_CODE.fd", EFIVars: "/usr/share/AAVMF/AAVMF_VARS.fd"},
		DomainAttachmentByInterfaceName: map[string]string{},
		IOMMUFDEnabled:                  given.IOMMUFD,
		PCINUMAAwareTopologyEnabled:     given.NUMATopology,
		GraceIOVirtualizationEnabled:    len(given.Grace) > 0,
		GraceHostDeviceAliases:          given.Grace,
	}
	for _, iface := range vmi.Spec.Domain.Devices.Interfaces {
		context.DomainAttachmentByInterfaceName[iface.Name] = string(v1.Tap)
	}
	domain := &api.Domain{}
	if err := converter.Convert_v1_VirtualMachineInstance_To_api_Domain(vmi, domain, context); err != nil {
		t.Fatal(err)
	}
	api.NewDefaulter(context.Architecture.GetArchitecture()).SetObjectDefaults_Domain(domain)
	if err := hooks.GetManager().Collect(1, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	manager := &LibvirtDomainManager{virConn: virshConnection{}, metadataCache: metadata.NewCache()}
	if _, err := manager.allocateHotplugPorts(vmi, &domain.Spec); err != nil {
		t.Fatal(err)
	}
}
