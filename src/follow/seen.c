#include "follow/seen.h"

#include <stddef.h>
#include <sys/vfs.h>

#include "base/clock.h"

enum { RACY_S = 2 };

struct seen seen_of(const struct stat *st)
{
    static const int64_t NS_PER_S = 1000000000, US_PER_S = 1000000;

    return (struct seen){.device = st->st_dev,
                         .inode = st->st_ino,
                         .size = st->st_size,
                         .changed_ns = st->st_ctim.tv_sec * NS_PER_S + st->st_ctim.tv_nsec,
                         .is_racy = st->st_ctim.tv_sec + RACY_S >= clock_wall_us() / US_PER_S};
}

bool seen_differs(const struct seen *old, const struct seen *now)
{
    return old->is_racy || old->device != now->device || old->inode != now->inode ||
           old->size != now->size || old->changed_ns != now->changed_ns;
}

bool seen_is_remote(int fd)
{
    static const uint32_t types[] = {
        0x6969,     /* NFS */
        0x517b,     /* SMB */
        0xff534d42, /* CIFS */
        0xfe534d42, /* SMB2 */
        0x65735546, /* FUSE */
        0x01021997, /* 9P */
        0x00c36400, /* Ceph */
        0x5346414f, /* AFS of OpenAFS */
        0x6b414653, /* AFS */
        0x73757245, /* Coda */
        0x47504653, /* GPFS */
        0x0bd00bd0, /* Lustre */
        0x7461636f, /* OCFS2 */
        0x01161970, /* GFS2 */
        0x786f4256, /* VirtualBox */
        0xbacbacbc, /* VMware */
        0x7c7c6673, /* Parallels */
    };
    struct statfs st;

    if (fstatfs(fd, &st) != 0)
        return false;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if ((uint32_t)st.f_type == types[i])
            return true;
    return false;
}
