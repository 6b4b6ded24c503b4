/* SPDX-License-Identifier: Apache-2.0 */
/* RPC interfaces by name, as the open specifications and the common dissectors call them. */
#include <stdlib.h>
#include <string.h>

#include "private.h"
#include "wire.h"

struct interface {
    const char *uuid, *name;
    enum rpc_role role;
};

/* In the order of the UUID's text. */
static const struct interface interfaces[] = {
    {"00000000-0000-0000-c000-000000000046", "IUnknown", RPC_OTHER},
    {"00000131-0000-0000-c000-000000000046", "IRemUnknown", RPC_OTHER},
    {"00000143-0000-0000-c000-000000000046", "IRemUnknown2", RPC_OTHER},
    {"000001a0-0000-0000-c000-000000000046", "ISystemActivator", RPC_ACTIVATOR},
    {"00020400-0000-0000-c000-000000000046", "IDispatch", RPC_OTHER},
    {"027947e1-d731-11ce-a357-000000000001", "IEnumWbemClassObject", RPC_OTHER},
    {"0e4a0156-dd5d-11d2-8c2f-00c04fb6bcde", "ExchangeStore", RPC_OTHER},
    {"10f24e8e-0fa6-11d2-a910-00c04f990f3b", "ExchangeStore", RPC_OTHER},
    {"12345678-1234-abcd-ef00-0123456789ab", "SPOOLSS", RPC_OTHER},
    {"12345678-1234-abcd-ef00-01234567cffb", "NETLOGON", RPC_OTHER},
    {"12345778-1234-abcd-ef00-0123456789ab", "LSARPC", RPC_OTHER},
    {"12345778-1234-abcd-ef00-0123456789ac", "SAMR", RPC_OTHER},
    {"1453c42c-0fa6-11d2-a910-00c04f990f3b", "ExchangeStore", RPC_OTHER},
    {"1544f5e0-613c-11d1-93df-00c04fd7bd09", "RFR", RPC_OTHER},
    {"17fdd703-1827-4e34-79d4-24a55c53bb37", "Messenger", RPC_OTHER},
    {"1c1c45ee-4395-11d2-b60b-00104b703efd", "IWbemFetchSmartEnum", RPC_OTHER},
    {"1ff70682-0a51-30e8-076d-740be8cee98b", "ATSVC", RPC_OTHER},
    {"20610036-fa22-11cf-9823-00a0c911e5df", "RASRPC", RPC_OTHER},
    {"300f3532-38cc-11d0-a3f0-0020af6b0add", "TRKWKS", RPC_OTHER},
    {"333a2276-0000-0000-0d00-00809c000000", "CONV", RPC_CALLBACK},
    {"338cd001-2244-31f1-aaaa-900038001003", "WINREG", RPC_OTHER},
    {"367abb81-9844-35f1-ad32-98f038001003", "SVCCTL", RPC_OTHER},
    {"378e52b0-c0a9-11cf-822d-00aa0051e40f", "SASEC", RPC_OTHER},
    {"38a94e72-a9bc-11d2-8faf-00c04fa378ff", "ExchangeMTA", RPC_OTHER},
    {"3919286a-b10c-11d0-9ba8-00c04fd92ef5", "DSSETUP", RPC_OTHER},
    {"3dde7c30-165d-11d1-ab8f-00805f14db40", "BackupKey", RPC_OTHER},
    {"423ec01e-2e35-11d2-b604-00104b703efd", "IWbemWCOSmartEnum", RPC_OTHER},
    {"45f52c28-7f9f-101a-b52b-08002b2efabe", "WINS", RPC_OTHER},
    {"469d6ec0-0d87-11ce-b13f-00aa003bac6c", "ExchangeSystemAttendant", RPC_OTHER},
    {"4b324fc8-1670-01d3-1278-5a47bf6ee188", "SRVSVC", RPC_OTHER},
    {"4d9f4ab8-7d1c-11cf-861e-0020af6e7c57", "IActivation", RPC_ACTIVATOR},
    {"4da1c422-943d-11d1-acae-00c04fc2aa3f", "TRKSVR", RPC_OTHER},
    {"4fc742e0-4a10-11cf-8273-00aa004ae673", "NETDFS", RPC_OTHER},
    {"50abc2a4-574d-40b3-9d66-ee4fd5fba076", "DNSSERVER", RPC_OTHER},
    {"5261574a-4572-206e-b268-6b199213b4e4", "AsyncEMSMDB", RPC_OTHER},
    {"5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc", "Messenger", RPC_OTHER},
    {"5b821720-f63b-11d0-aad2-00c04fc324db", "DHCPSRV2", RPC_OTHER},
    {"6bffd098-a112-3610-9833-012892020162", "BROWSER", RPC_OTHER},
    {"6bffd098-a112-3610-9833-46c3f874532d", "DHCPSRV", RPC_OTHER},
    {"6bffd098-a112-3610-9833-46c3f87e345a", "WKSSVC", RPC_OTHER},
    {"76f03f96-cdfd-44fc-a22c-64950a001209", "IRemoteWinspool", RPC_OTHER},
    {"7c44d7d4-31d5-424c-bd5e-2b3e1f323d22", "DSAOP", RPC_OTHER},
    {"82273fdc-e32a-18c3-3f78-827929dc23ea", "EVENTLOG", RPC_OTHER},
    {"83d72bf0-0d89-11ce-b13f-00aa003bac6c", "ExchangeSystemAttendant", RPC_OTHER},
    {"86d35949-83c9-4044-b424-db363231fd0c", "ITaskSchedulerService", RPC_OTHER},
    {"894de0c0-0d55-11d3-a322-00c04fa321a1", "INITSHUTDOWN", RPC_OTHER},
    {"89742ace-a9ed-11cf-9c0c-08002be7ae86", "ExchangeStoreAdmin", RPC_OTHER},
    {"897e2e5f-93f3-4376-9c9c-fd2277495c27", "FRSTRANS", RPC_OTHER},
    {"8d9f4e40-a03d-11ce-8f69-08003e30051b", "PNP", RPC_OTHER},
    {"8fb6d884-2388-11d0-8c35-00c04fda2795", "W32TIME", RPC_OTHER},
    {"906b0ce0-c70b-1067-b317-00dd010662da", "IXnRemote", RPC_OTHER},
    {"91ae6020-9e3c-11cf-8d7c-00aa00c091be", "ICertPassage", RPC_OTHER},
    {"9556dc99-828c-11cf-a37e-00aa003240c7", "IWbemServices", RPC_OTHER},
    {"99e64010-b032-11d0-97a4-00c04fd6551d", "ExchangeStoreAdmin", RPC_OTHER},
    {"99e66040-b032-11d0-97a4-00c04fd6551d", "ExchangeStoreAdmin", RPC_OTHER},
    {"99fcfec4-5260-101b-bbcb-00aa0021347a", "IOXIDResolver", RPC_OXID},
    {"9e8ee830-4459-11ce-979b-00aa005ffebe", "ExchangeMTA", RPC_OTHER},
    {"a4f1db00-ca47-1067-b31e-00dd010662da", "ExchangeStoreAdmin", RPC_OTHER},
    {"a4f1db00-ca47-1067-b31f-00dd010662da", "MAPI", RPC_OTHER},
    {"a8e0653c-2744-4389-a61d-7373df8b2292", "FSRVP", RPC_OTHER},
    {"afa8bd80-7d8a-11c9-bef4-08002b102989", "MGMT", RPC_OTHER},
    {"b25a52bf-e5dd-4f4a-aea6-8ca7272a0e86", "KeyIso", RPC_OTHER},
    {"c681d488-d850-11d0-8c52-00c04fd90f7e", "EFSRPC", RPC_OTHER},
    {"ccd8c074-d0e5-4a40-92b4-d074faa6ba28", "WITNESS", RPC_OTHER},
    {"d049b186-814f-11d1-9a3c-00c04fc9b232", "FRSAPI", RPC_OTHER},
    {"d4781cd6-e5d3-44df-ad94-930efe48a887", "IWbemLoginClientID", RPC_OTHER},
    {"d95afe70-a6d5-4259-822e-2c84da1ddb0d", "WindowsShutdown", RPC_OTHER},
    {"df1941c5-fe89-4e79-bf10-463657acf44d", "EFSRPC", RPC_OTHER},
    {"e1af8308-5d1f-11c9-91a4-08002b14a0fa", "EPMv4", RPC_EPM},
    {"e3514235-4b06-11d1-ab04-00c04fc2dcd2", "DRSUAPI", RPC_OTHER},
    {"f309ad18-d86a-11d0-a075-00c04fb68820", "IWbemLevel1Login", RPC_OTHER},
    {"f5cc59b4-4264-101a-8c59-08002b2f8426", "FRSRPC", RPC_OTHER},
    {"f5cc5a18-4264-101a-8c59-08002b2f8426", "NSPI", RPC_OTHER},
    {"f5cc5a7c-4264-101a-8c59-08002b2f8426", "ExchangeDirectory", RPC_OTHER},
    {"f6beaff7-1e19-4fbb-9f8f-b89e2018337c", "IEventService", RPC_OTHER},
    {"fdb3a030-065f-11d1-bb9b-00a024ea5525", "MSMQ", RPC_OTHER},
};

static int compare_uuid(const void *key, const void *element)
{
    return strcmp(key, ((const struct interface *)element)->uuid);
}

static const struct interface *find_interface(const char *uuid)
{
    return bsearch(uuid, interfaces, sizeof(interfaces) / sizeof(interfaces[0]), sizeof(interfaces[0]), compare_uuid);
}

/* The first three parts of a UUID are integers, in the message's byte order. */
void uuid_read(const uint8_t *p, bool little, uint8_t ret[static 16])
{
    static const uint8_t swapped[8] = {3, 2, 1, 0, 5, 4, 7, 6};

    memcpy(ret, p, 16);
    for (unsigned i = 0; little && i < 8; i++)
        ret[i] = p[swapped[i]];
}

const char *uuid_text(const uint8_t uuid[static 16], char ret[static PINHOLE_UUID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *to = ret;

    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = digits[uuid[i] >> 4];
        *to++ = digits[uuid[i] & 15];
    }
    *to = '\0';
    return ret;
}

void interface_name(const uint8_t uuid[static 16], struct pinhole *ret)
{
    const struct interface *known = find_interface(uuid_text(uuid, ret->uuid));
    const char *name = known != NULL ? known->name : ret->uuid;

    memcpy(ret->what, name, strlen(name) + 1);
}

enum rpc_role interface_role(const uint8_t uuid[static 16])
{
    char text[PINHOLE_UUID_SIZE];
    const struct interface *known = find_interface(uuid_text(uuid, text));

    return known != NULL ? known->role : RPC_OTHER;
}
