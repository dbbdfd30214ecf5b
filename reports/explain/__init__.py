"""What happens under the hood: the pages of `gradparity explain`."""
