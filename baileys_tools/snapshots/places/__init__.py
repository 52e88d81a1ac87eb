"""The places of copies: a folder on a disk, an SFTP server, a bucket."""
