"""The motion reader; a clip and its camera enter, the speed and yaw rate of every frame leave."""
