// A runtime of ten lines over libcni, the library that containerd, CRI-O and Podman call plugins with:
//
//	libcni-client add|check|del CONFLIST CACHE CONTAINER NETNS IFNAME
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/containernetworking/cni/libcni"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(words []string) error {
	list, err := libcni.ConfListFromFile(words[1])
	if err != nil {
		return err
	}
	cni := libcni.NewCNIConfigWithCacheDir([]string{os.Getenv("CNI_PATH")}, words[2], nil)
	attachment := &libcni.RuntimeConf{ContainerID: words[3], NetNS: words[4], IfName: words[5]}
	ctx := context.Background()
	if _, err := cni.ValidateNetworkList(ctx, list); err != nil {
		return err
	}
	switch words[0] {
	case "add":
		result, err := cni.AddNetworkList(ctx, list, attachment)
		if err != nil {
			return err
		}
		return result.PrintTo(os.Stdout)
	case "check":
		return cni.CheckNetworkList(ctx, list, attachment)
	case "del":
		return cni.DelNetworkList(ctx, list, attachment)
	}
	return fmt.Errorf("no such verb: %s", words[0])
}
