"""The index beside other libraries, on a million vectors made from real photos: `samestyle bench index`."""
